package flattable

import flatbuffers "github.com/google/flatbuffers/go"

// Table reads fields by their number in the format's definition; one that is absent is zero.
type Table struct{ flatbuffers.Table }

// Root is the table that a message's description begins with.
func Root(meta []byte) Table {
	return Table{flatbuffers.Table{Bytes: meta, Pos: flatbuffers.GetUOffsetT(meta)}}
}

// At is the table that an element of a vector leads to.
func (t *Table) At(place flatbuffers.UOffsetT) Table {
	return Table{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(place)}}
}

func (t *Table) field(id int) (at flatbuffers.UOffsetT, ok bool) {
	o := t.Offset(flatbuffers.VOffsetT(4 + 2*id))
	return t.Pos + flatbuffers.UOffsetT(o), o != 0
}

// Byte reads a field of 8 bits.
func (t *Table) Byte(id int) byte {
	if at, ok := t.field(id); ok {
		return t.GetByte(at)
	}
	return 0
}

// Int16 reads a field of 16 bits.
func (t *Table) Int16(id int) int16 {
	if at, ok := t.field(id); ok {
		return t.GetInt16(at)
	}
	return 0
}

// Int64 reads a field of 64 bits.
func (t *Table) Int64(id int) int64 {
	if at, ok := t.field(id); ok {
		return t.GetInt64(at)
	}
	return 0
}

// Nested reads a field that is a table; to read on in one that is absent is a panic.
func (t *Table) Nested(id int) (Table, bool) {
	at, ok := t.field(id)
	if !ok {
		return Table{}, false
	}
	return t.At(at), true
}

// Vector is where a vector's elements of so many bytes begin, and how many it has, which all lie in the table's bytes.
func (t *Table) Vector(id int, size int64) (at flatbuffers.UOffsetT, n int) {
	at, ok := t.field(id)
	if !ok {
		return 0, 0
	}
	at = t.Indirect(at)
	n = int(t.GetUOffsetT(at))
	at += flatbuffers.SizeUOffsetT
	if int64(n)*size > int64(len(t.Bytes))-int64(at) {
		panic("a list is longer than what holds it")
	}
	return at, n
}
