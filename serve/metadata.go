package serve

import (
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
)

// What describes an Arrow message is a FlatBuffers table. It is read here field by field, only what a stream of one
// column of bytes can have. Arrow's own reader would take memory by the lengths that stand in it, before it looks
// whether there is so much: a hundred bytes of a damaged message could end the process, and no recover would help.
// Here a number is only ever compared, and a place outside of the table is a panic, which the caller makes an error of.

// Kinds of messages (MessageHeader in Arrow's format).
const (
	kindSchema = 1
	kindBatch  = 3
)

// message is what describes a message.
type message struct {
	kind   byte
	header table
	body   int64 // bytes that follow
}

func parseMessage(meta []byte) message {
	root := table{flatbuffers.Table{Bytes: meta, Pos: flatbuffers.GetUOffsetT(meta)}}
	m := message{kind: root.byte(1), body: root.int64(3)}
	m.header, _ = root.table(2)
	return m
}

// table reads fields by their number in the format's definition; one that is absent is zero.
type table struct{ flatbuffers.Table }

func (t *table) field(id int) (at flatbuffers.UOffsetT, ok bool) {
	o := t.Offset(flatbuffers.VOffsetT(4 + 2*id))
	return t.Pos + flatbuffers.UOffsetT(o), o != 0
}

func (t *table) byte(id int) byte {
	if at, ok := t.field(id); ok {
		return t.GetByte(at)
	}
	return 0
}

func (t *table) int16(id int) int16 {
	if at, ok := t.field(id); ok {
		return t.GetInt16(at)
	}
	return 0
}

func (t *table) int64(id int) int64 {
	if at, ok := t.field(id); ok {
		return t.GetInt64(at)
	}
	return 0
}

func (t *table) table(id int) (table, bool) {
	at, ok := t.field(id)
	if !ok {
		return table{}, false
	}
	return table{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at)}}, true
}

// vector is where a vector's elements begin, and how many it says that it has.
func (t *table) vector(id int) (at flatbuffers.UOffsetT, n int) {
	at, ok := t.field(id)
	if !ok {
		return 0, 0
	}
	at = t.Indirect(at)
	return at + flatbuffers.SizeUOffsetT, int(t.GetUOffsetT(at))
}

// types are the names of Arrow's types by their number in its format.
var types = []string{"none", "null", "int", "float", "binary", "string", "bool", "decimal", "date", "time", "timestamp", "interval",
	"list", "struct", "union", "fixed_size_binary", "fixed_size_list", "map", "duration", "large_binary", "large_string", "large_list",
	"run_end_encoded", "binary_view", "string_view", "list_view", "large_list_view"}

// columnType is the name of the type of the stream's one column.
func (m *message) columnType() (string, error) {
	const little = 0
	schema := &m.header
	if schema.int16(0) != little {
		return "", badBatch("the stream has the byte order of another kind of machine")
	}
	at, n := schema.vector(1)
	if n != 1 {
		return "", badBatch("the stream has %d columns: send the one column of images alone", n)
	}
	field := table{flatbuffers.Table{Bytes: schema.Bytes, Pos: schema.Indirect(at)}}
	name := fmt.Sprintf("number %d", field.byte(2))
	if i := int(field.byte(2)); i < len(types) {
		name = types[i]
	}
	if _, encoded := field.table(4); encoded {
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
	l := layout{rows: batch.int64(0)}
	if l.rows < 0 || l.rows > maxRows {
		return layout{}, badBatch("a batch of %d rows is over the limit of %d: send fewer rows at once", l.rows, maxRows)
	}
	if _, compressed := batch.table(3); compressed {
		return layout{}, badBatch("compressed batches are not taken: between two processes of a machine they only cost time")
	}
	const pair = 16 // bytes of an element of both vectors: two numbers of 64 bits
	node, nodes := batch.vector(1)
	buffer, buffers := batch.vector(2)
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
