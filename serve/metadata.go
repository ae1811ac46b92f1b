package serve

import (
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/imgvec/imgvec/internal/flattable"
)

// What describes an Arrow message is read here field by field, only what a stream of one column of bytes can have. Arrow's
// own reader would believe a damaged one (package flattable). A place outside of the table is a panic, which the caller
// makes an error of.

// Kinds of messages (MessageHeader in Arrow's format).
const (
	kindSchema = 1
	kindBatch  = 3
)

// message is what describes a message.
type message struct {
	kind   byte
	header flattable.Table
	body   int64 // bytes that follow
}

func parseMessage(meta []byte) message {
	root := flattable.Root(meta)
	m := message{kind: root.Byte(1), body: root.Int64(3)}
	m.header, _ = root.Nested(2)
	return m
}

// types are the names of Arrow's types by their number in its format.
var types = []string{"none", "null", "int", "float", "binary", "string", "bool", "decimal", "date", "time", "timestamp", "interval",
	"list", "struct", "union", "fixed_size_binary", "fixed_size_list", "map", "duration", "large_binary", "large_string", "large_list",
	"run_end_encoded", "binary_view", "string_view", "list_view", "large_list_view"}

// columnType is the name of the type of the stream's one column.
func (m *message) columnType() (string, error) {
	const little = 0
	schema := &m.header
	if schema.Int16(0) != little {
		return "", badBatch("the stream has the byte order of another kind of machine")
	}
	at, n := schema.Vector(1, 4)
	if n != 1 {
		return "", badBatch("the stream has %d columns: send the one column of images alone", n)
	}
	field := schema.At(at)
	name := fmt.Sprintf("number %d", field.Byte(2))
	if i := int(field.Byte(2)); i < len(types) {
		name = types[i]
	}
	if _, encoded := field.Nested(4); encoded {
		name = "dictionary of " + name
	}
	return name, nil
}

// span is a part of a message's body.
type span struct{ from, to int64 }

// layout is where a batch's column lies in the body.
type layout struct {
	rows                  int64
	nulls                 bool
	valid, offsets, bytes span
}

// layout reads where a batch's column lies. The spans are inside of the body, and the rows not over the limit.
func (m *message) layout() (layout, error) {
	batch := &m.header
	l := layout{rows: batch.Int64(0)}
	if l.rows < 0 || l.rows > maxRows {
		return layout{}, badBatch("a batch of %d rows is over the limit of %d: send fewer rows at once", l.rows, maxRows)
	}
	if _, compressed := batch.Nested(3); compressed {
		return layout{}, badBatch("compressed batches are not taken: between two processes of a machine they only cost time")
	}
	const pair = 16 // bytes of an element of both vectors: two numbers of 64 bits
	node, nodes := batch.Vector(1, pair)
	buffer, buffers := batch.Vector(2, pair)
	if nodes != 1 || buffers != 3 {
		return layout{}, badBatch("a batch has %d columns and %d buffers, not one and three", nodes, buffers)
	}
	if n := batch.GetInt64(node); n != l.rows {
		return layout{}, badBatch("a batch of %d rows has a column of %d", l.rows, n)
	}
	l.nulls = batch.GetInt64(node+8) != 0
	for i, s := range []*span{&l.valid, &l.offsets, &l.bytes} {
		at := buffer + flatbuffers.UOffsetT(i*pair)
		from, size := batch.GetInt64(at), batch.GetInt64(at+8)
		if from < 0 || size < 0 || from > m.body || size > m.body-from {
			return layout{}, badBatch("a batch's buffer %d lies at %d with %d bytes, of %d", i, from, size, m.body)
		}
		*s = span{from, from + size}
	}
	return l, nil
}
