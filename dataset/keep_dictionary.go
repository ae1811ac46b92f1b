package dataset

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// keptDictionary is a kept column that is a dictionary. Each table, and each part of one, has a dictionary of its own;
// an Arrow file can have only one, which may grow. So the values of all are put into one, in the order of their coming.
type keptDictionary struct {
	typ    *arrow.DictionaryType
	values arrow.Array // of the one so far; nil at first
}

// join puts the pieces together, with indices into the one dictionary. More values than the type's indices can tell
// apart are an error.
func (d *keptDictionary) join(pieces []arrow.Array) (arrow.Array, error) {
	mem := memory.DefaultAllocator
	one, err := array.NewDictionaryUnifier(mem, d.typ.ValueType)
	if err != nil {
		return nil, err
	}
	defer one.Release()
	if d.values != nil {
		if err := one.Unify(d.values); err != nil {
			return nil, err
		}
	}
	places := map[arrow.Array][]int32{} // dictionary -> the place of each of its values in the one
	for _, p := range pieces {
		dict := p.(*array.Dictionary).Dictionary()
		if _, seen := places[dict]; !seen {
			buf, err := one.UnifyAndTranspose(dict)
			if err != nil {
				return nil, err
			}
			places[dict] = arrow.Int32Traits.CastFromBytes(buf.Bytes())
		}
	}
	values, err := one.GetResultWithIndexType(d.typ.IndexType)
	if err != nil {
		return nil, err
	}
	if d.values == nil || values.Len() != d.values.Len() { // else it is the one that is written already
		d.values = values
	}
	build := array.NewBuilder(mem, d.typ.IndexType)
	for _, p := range pieces {
		piece := p.(*array.Dictionary)
		place := places[piece.Dictionary()]
		for i := range piece.Len() {
			if piece.IsNull(i) {
				build.AppendNull()
			} else {
				appendIndex(build, place[piece.GetValueIndex(i)])
			}
		}
	}
	return array.NewDictionaryArray(d.typ, build.NewArray(), d.values), nil
}

// appendIndex adds an index that is known to fit.
func appendIndex(build array.Builder, v int32) {
	switch b := build.(type) {
	case *array.Int8Builder:
		b.Append(int8(v))
	case *array.Int16Builder:
		b.Append(int16(v))
	case *array.Int32Builder:
		b.Append(v)
	case *array.Int64Builder:
		b.Append(int64(v))
	case *array.Uint8Builder:
		b.Append(uint8(v))
	case *array.Uint16Builder:
		b.Append(uint16(v))
	case *array.Uint32Builder:
		b.Append(uint32(v))
	case *array.Uint64Builder:
		b.Append(uint64(v))
	}
}
