package dataset

import flatbuffers "github.com/google/flatbuffers/go"

// flatTable reads fields of a FlatBuffers table by their number; one that is absent is zero. A place outside of the
// table is a panic, which the callers make an error of.
type flatTable struct{ flatbuffers.Table }

func (t *flatTable) field(id int) (at flatbuffers.UOffsetT, ok bool) {
	o := t.Offset(flatbuffers.VOffsetT(4 + 2*id))
	return t.Pos + flatbuffers.UOffsetT(o), o != 0
}

func (t *flatTable) byte(id int) byte {
	if at, ok := t.field(id); ok {
		return t.GetByte(at)
	}
	return 0
}

func (t *flatTable) int64(id int) int64 {
	if at, ok := t.field(id); ok {
		return t.GetInt64(at)
	}
	return 0
}

func (t *flatTable) table(id int) (flatTable, bool) {
	at, ok := t.field(id)
	if !ok {
		return flatTable{t.Table}, false
	}
	return flatTable{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at)}}, true
}

// vector is where a vector's elements of so many bytes begin, and how many it has, which are all in the table.
func (t *flatTable) vector(id int, size int64) (at flatbuffers.UOffsetT, n int) {
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
