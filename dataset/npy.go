package dataset

import (
	"errors"
	"fmt"
	"math"
)

// npyWriter writes NumPy's format, an array [rows, dim] in which the rows of failed images are NaN, and a file of JSON
// lines beside it, OUT.ids.jsonl, with the id, error, width and height of each row.
//
// NumPy's header stands in front and says how many rows follow, so it is written last, over its own place.
type npyWriter struct {
	files  pair
	dim    int
	half   bool
	random bool
	kept   *Kept
	rows   int64
	row    []byte
	blank  []float32 // the features of a failed image
}

// idsOf is the name of the file beside an NPY output.
func idsOf(output string) string { return output + ".ids.jsonl" }

func newNPYWriter(dst *atomicFile, output string, meta Meta, opts WriterOptions) (*npyWriter, error) {
	ids, err := createIDs(output, opts.Force)
	if err != nil {
		return nil, err
	}
	w := &npyWriter{
		files: pair{dst, ids}, dim: meta.Dim, half: opts.DType == Float16, random: meta.RandomWeights, kept: opts.Kept, blank: make([]float32, meta.Dim),
	}
	for i := range w.blank {
		w.blank[i] = float32(math.NaN())
	}
	if _, err := dst.Write(w.header()); err != nil {
		return nil, errors.Join(dst.explain(err), ids.abort())
	}
	return w, nil
}

// header is NumPy's header, version 1.0, of constant length.
func (w *npyWriter) header() []byte {
	descr := "<f4"
	if w.half {
		descr = "<f2"
	}
	return npyHeader(descr, w.rows, int64(w.dim))
}

// npyHeader is the head of a NumPy file, 128 bytes whatever the shape, for elements such as "<f4" or "|u1" in C order.
func npyHeader(descr string, shape ...int64) []byte {
	const size = 128
	dims := ""
	for _, n := range shape {
		dims += fmt.Sprintf("%d, ", n)
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims)
	return fmt.Appendf(nil, "\x93NUMPY\x01\x00%c\x00%-*s\n", size-10, size-11, text)
}

func (w *npyWriter) Write(r Row) error {
	if err := checkRow(&r, w.dim); err != nil {
		return err
	}
	features := r.Features
	if r.Err != nil {
		features = w.blank
	}
	w.row = appendFloats(w.row[:0], features, w.half)
	if _, err := w.files.array.Write(w.row); err != nil {
		return w.files.array.explain(err)
	}
	w.row = appendJSONString(append(w.row[:0], `{"id":`...), r.ID)
	w.row = appendJSONOutcome(w.row, &r, w.random, w.kept)
	if _, err := w.files.ids.Write(w.row); err != nil {
		return w.files.ids.explain(err)
	}
	w.rows++
	return nil
}

// Finish gives both files their names.
func (w *npyWriter) Finish() error {
	if err := w.files.array.overwrite(w.header()); err != nil {
		return w.files.array.explain(err)
	}
	return w.files.finish()
}

func (w *npyWriter) Abort() error  { return w.files.abort() }
func (w *npyWriter) Discard() bool { return w.files.discard() }
