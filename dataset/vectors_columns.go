package dataset

import (
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// vectorColumns are the numbers of the columns that a table of features has; -1 where it lacks one.
type vectorColumns struct{ id, features, err, width, height int }

func findColumns(schema *arrow.Schema, opts VectorsOptions) (vectorColumns, error) {
	find := func(names ...string) int {
		for _, name := range names {
			if at := schema.FieldIndices(name); len(at) > 0 {
				return at[0]
			}
		}
		return -1
	}
	features := orElse(opts.FeaturesColumn, "features")
	c := vectorColumns{find("id", "path"), find(features), find("error", features+"_error"), find("width"), find("height")}
	if opts.IDColumn != "" {
		if c.id = find(opts.IDColumn); c.id < 0 {
			return c, usagef("there is no column %q (it has %s)", opts.IDColumn, fieldNames(schema))
		}
	}
	if c.features < 0 {
		return c, usagef("there is no column %q (it has %s): name the column of the vectors", features, fieldNames(schema))
	}
	list, ok := schema.Field(c.features).Type.(arrow.ListLikeType)
	if ok {
		switch list.Elem().ID() {
		case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
			return c, nil
		}
	}
	return c, usagef("column %q is %s, no list of floats", features, schema.Field(c.features).Type)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func fieldNames(schema *arrow.Schema) string {
	var names []string
	for _, f := range schema.Fields() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

func (b *Batch) addIDs(arr arrow.Array, base int) error {
	b.IDs = addTexts(b.IDs, arr, base, b.Len)
	return nil
}

func (b *Batch) addErrors(arr arrow.Array, base int) error {
	b.Errors = addTexts(b.Errors, arr, base, b.Len)
	return nil
}

func addTexts(dst []string, arr arrow.Array, base, rows int) []string {
	if dst == nil {
		dst = make([]string, rows)
	}
	texts, ok := arr.(interface{ Value(i int) string })
	for i := range arr.Len() {
		switch {
		case arr.IsNull(i):
		case ok:
			dst[base+i] = strings.Clone(texts.Value(i)) // else one id would keep the batch
		default:
			dst[base+i] = arr.ValueStr(i)
		}
	}
	return dst
}

func (b *Batch) addWidths(arr arrow.Array, base int) error {
	b.Width = addInts(b.Width, arr, base, b.Len)
	return nil
}

func (b *Batch) addHeights(arr arrow.Array, base int) error {
	b.Height = addInts(b.Height, arr, base, b.Len)
	return nil
}

// addInts takes columns of 32 and 64 bits; others stay 0, not known.
func addInts(dst []int32, arr arrow.Array, base, rows int) []int32 {
	if dst == nil {
		dst = make([]int32, rows)
	}
	for i := range arr.Len() {
		if arr.IsNull(i) {
			continue
		}
		switch a := arr.(type) {
		case *array.Int32:
			dst[base+i] = a.Value(i)
		case *array.Int64:
			dst[base+i] = int32(min(max(a.Value(i), 0), math.MaxInt32))
		}
	}
	return dst
}

// addLists takes the vectors of a column of lists. Where they lie without gaps, as in what we write, they are not copied.
func (b *Batch) addLists(arr arrow.Array, base int) error {
	list, ok := arr.(array.ListLike)
	if !ok {
		return fmt.Errorf("column of features: %s is no list", arr.DataType())
	}
	from, end, dense := int64(-1), int64(-1), len(b.Index) == 0
	for i := range arr.Len() {
		if arr.IsNull(i) {
			continue
		}
		start, stop := list.ValueOffsets(i)
		if err := b.checkDim(base+i, int(stop-start)); err != nil {
			return err
		}
		if from < 0 {
			from = start
		}
		dense = dense && (end < 0 || start == end)
		end = stop
		b.ownIdx = append(b.ownIdx, int32(base+i))
	}
	b.Index = b.ownIdx
	if from < 0 {
		return nil
	}
	values := list.ListValues()
	switch a := values.(type) {
	case *array.Float32:
		if dense && a.NullN() == 0 {
			b.Float32 = a.Float32Values()[from:end]
			return nil
		}
	case *array.Float16:
		if dense && a.NullN() == 0 && len(b.Float32) == 0 {
			halves := a.Values()[from:end]
			b.Float16 = unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(halves))), len(halves))
			return nil
		}
	}
	return b.copyLists(list, values)
}

// copyLists takes lists with gaps, missing numbers or of other types.
func (b *Batch) copyLists(list array.ListLike, values arrow.Array) error {
	b.own = append(b.own[:0], b.Float32...) // of the chunks before this one
	for _, h := range b.Float16 {
		b.own = append(b.own, float16value(h))
	}
	b.Float16 = nil
	for i := range list.Len() {
		if list.IsNull(i) {
			continue
		}
		start, stop := list.ValueOffsets(i)
		for j := int(start); j < int(stop); j++ {
			b.own = append(b.own, number(values, j))
		}
	}
	b.Float32 = b.own
	return nil
}

func number(values arrow.Array, i int) float32 {
	if values.IsNull(i) {
		return float32(math.NaN())
	}
	switch a := values.(type) {
	case *array.Float32:
		return a.Value(i)
	case *array.Float64:
		return float32(a.Value(i))
	case *array.Float16:
		return float16value(a.Value(i).Uint16())
	}
	return float32(math.NaN())
}
