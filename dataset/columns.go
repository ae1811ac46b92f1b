package dataset

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// columns collects rows as Arrow columns. Their memory is kept from batch to batch: Arrow's own builders give theirs
// away with every batch, which at megabytes a batch keeps the garbage collector busy.
type columns struct {
	schema              *arrow.Schema
	dim                 int
	half                bool
	rows                int
	bytes               int // about what the rows take in a file
	ids, errs, features offsetColumn
	width, height       fixedColumn
	kept                keptRows
}

// validity is a column's bitmap: bit i is set where row i has a value.
type validity struct {
	bits  []byte
	nulls int
}

func (v *validity) add(row int, ok bool) {
	if row%8 == 0 {
		v.bits = append(v.bits, 0)
	}
	if ok {
		bitutil.SetBit(v.bits, row)
	} else {
		v.nulls++
	}
}

func (v *validity) reset() { v.bits, v.nulls = v.bits[:0], 0 }

// offsetColumn is a column of rows of any length: strings or lists.
type offsetColumn struct {
	validity
	offsets []int32 // in elements
	data    []byte
}

func (c *offsetColumn) end(row, elements int, ok bool) {
	c.offsets = append(c.offsets, int32(elements))
	c.add(row, ok)
}

func (c *offsetColumn) addString(row int, s string, ok bool) {
	c.data = append(c.data, s...)
	c.end(row, len(c.data), ok)
}

func (c *offsetColumn) reset() {
	c.offsets = append(c.offsets[:0], 0)
	c.data = c.data[:0]
	c.validity.reset()
}

type fixedColumn struct {
	validity
	data []byte
}

func (c *fixedColumn) add(row int, v int32, ok bool) {
	c.data = binary.LittleEndian.AppendUint32(c.data, uint32(v))
	c.validity.add(row, ok)
}

func newColumns(schema *arrow.Schema, dim int, dtype DType, kept *Kept) *columns {
	c := &columns{schema: schema, dim: dim, half: dtype == Float16, kept: newKeptRows(kept)}
	c.reset()
	return c
}

func (c *columns) reset() {
	c.rows, c.bytes = 0, 0
	c.ids.reset()
	c.errs.reset()
	c.features.reset()
	c.width.reset()
	c.height.reset()
	c.kept.reset()
	c.width.data, c.height.data = c.width.data[:0], c.height.data[:0]
}

func (c *columns) elementSize() int {
	if c.half {
		return 2
	}
	return 4
}

// add copies a row.
func (c *columns) add(r *Row) error {
	if err := checkRow(r, c.dim); err != nil {
		return err
	}
	reason, ok := r.reason(), r.Err == nil
	c.ids.addString(c.rows, r.ID, true)
	c.errs.addString(c.rows, reason, !ok)
	if ok {
		c.features.data = appendFloats(c.features.data, r.Features, c.half)
	}
	c.features.end(c.rows, len(c.features.data)/c.elementSize(), ok)
	sized := r.Width > 0 && r.Height > 0
	c.width.add(c.rows, int32(r.Width), sized)
	c.height.add(c.rows, int32(r.Height), sized)
	c.rows++
	c.bytes += rowBytes(r, reason, c.dim*c.elementSize()) + c.kept.add(r.Tag)
	return nil
}

// rowBytes is an upper estimate of what a row takes in a Parquet row group before compression: its values, and the
// levels and lengths around them.
func rowBytes(r *Row, reason string, features int) int {
	n := len(r.ID) + len(reason) + 48
	if r.Err == nil {
		n += features
	}
	return n
}

func appendFloats(dst []byte, values []float32, half bool) []byte {
	for _, v := range values {
		if half {
			dst = binary.LittleEndian.AppendUint16(dst, float16bits(v))
		} else {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
		}
	}
	return dst
}

// record is the rows as an Arrow batch. It borrows the columns' memory: it must not be used after reset. The error is
// that of a kept column.
func (c *columns) record() (arrow.RecordBatch, error) {
	list := c.schema.Field(1).Type.(*arrow.ListType)
	values := array.NewData(list.Elem(), len(c.features.data)/c.elementSize(), buffers(nil, c.features.data), nil, 0, 0)
	data := []arrow.ArrayData{
		c.ids.strings(c.rows),
		array.NewData(list, c.rows, buffers(c.features.bits, offsetBytes(c.features.offsets)), []arrow.ArrayData{values}, c.features.nulls, 0),
		c.errs.strings(c.rows),
		c.width.ints(c.rows),
		c.height.ints(c.rows),
	}
	arrays := make([]arrow.Array, 0, len(data)+len(c.kept.kept.columns()))
	for _, d := range data {
		arrays = append(arrays, array.MakeFromData(d))
	}
	kept, err := c.kept.arrays()
	if err != nil {
		return nil, err
	}
	return array.NewRecordBatch(c.schema, append(arrays, kept...), int64(c.rows)), nil
}

func (c *offsetColumn) strings(rows int) arrow.ArrayData {
	return array.NewData(arrow.BinaryTypes.String, rows, buffers(c.bits, offsetBytes(c.offsets), c.data), nil, c.nulls, 0)
}

func (c *fixedColumn) ints(rows int) arrow.ArrayData {
	return array.NewData(arrow.PrimitiveTypes.Int32, rows, buffers(c.bits, c.data), nil, c.nulls, 0)
}

func offsetBytes(offsets []int32) []byte { return arrow.Int32Traits.CastToBytes(offsets) }

func buffers(parts ...[]byte) []*memory.Buffer {
	out := make([]*memory.Buffer, len(parts))
	for i, part := range parts {
		if part != nil {
			out[i] = memory.NewBufferBytes(part)
		}
	}
	return out
}
