package dataset

import (
	"fmt"
	"slices"
)

// Batch is some rows of an output, next to each other. The vectors of the rows that have one lie without gaps, so that
// they can be gone through as a matrix.
type Batch struct {
	Row int64 // number of the first row in the output
	Len int   // rows

	// Of each row; nil where not asked for, and where the file has none.
	IDs           []string
	Errors        []string // "" where the image is fine
	Width, Height []int32  // 0 where not known

	Dim     int       // features a vector
	Index   []int32   // vector i is of row Row+Index[i]; rising
	Float32 []float32 // [len(Index), Dim]; empty where the file holds halves
	Float16 []uint16  // [len(Index), Dim] as IEEE 754 half-precision bits; else empty

	own    []float32 // memory of Float32, kept from batch to batch
	ownIdx []int32
	next   int // vector that row asked for last had
}

func (b *Batch) reset(first int64, rows, dim int) {
	*b = Batch{Row: first, Len: rows, Dim: dim, own: b.own[:0], ownIdx: b.ownIdx[:0]}
}

// Vector copies vector i, of row Row+Index[i], as float32.
func (b *Batch) Vector(i int) []float32 {
	if len(b.Float16) == 0 {
		return slices.Clone(b.Float32[i*b.Dim : (i+1)*b.Dim])
	}
	v := make([]float32, b.Dim)
	for j, h := range b.Float16[i*b.Dim : (i+1)*b.Dim] {
		v[j] = float16value(h)
	}
	return v
}

// row is row i; the rows are asked for in order.
func (b *Batch) row(i int) VectorRow {
	r := VectorRow{Row: b.Row + int64(i)}
	if b.IDs != nil {
		r.ID = b.IDs[i]
	}
	if b.Errors != nil {
		r.Error = b.Errors[i]
	}
	if b.Width != nil && b.Height != nil {
		r.Width, r.Height = int(b.Width[i]), int(b.Height[i])
	}
	if b.next < len(b.Index) && int(b.Index[b.next]) == i {
		r.Features = b.Vector(b.next)
		b.next++
	}
	return r
}

// add appends a row's vector to memory of the batch's own.
func (b *Batch) add(row int, vector []float32) error {
	if err := b.checkDim(row, len(vector)); err != nil {
		return err
	}
	b.own = append(b.own, vector...)
	b.ownIdx = append(b.ownIdx, int32(row))
	b.Float32, b.Index = b.own, b.ownIdx
	return nil
}

// checkDim compares a row's features with those of the output; the first row decides where nothing else does.
func (b *Batch) checkDim(row, n int) error {
	if b.Dim == 0 {
		b.Dim = n
	}
	if n != b.Dim {
		return fmt.Errorf("row %d has %d features where the file has %d", b.Row+int64(row), n, b.Dim)
	}
	return nil
}
