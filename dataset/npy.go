package dataset

import (
	"errors"
	"fmt"
	"math"
	"os"
)

// npyWriter writes NumPy's format, an array [rows, dim] in which the rows of failed images are NaN, and a file of JSON
// lines beside it, OUT.ids.jsonl, with the id, error, width and height of each row.
//
// NumPy's header stands in front and says how many rows follow, so it is written last, over its own place.
type npyWriter struct {
	dst, ids *atomicFile
	dim      int
	half     bool
	rows     int64
	row      []byte
	blank    []float32 // the features of a failed image
}

// idsOf is the name of the file beside an NPY output.
func idsOf(output string) string { return output + ".ids.jsonl" }

func newNPYWriter(dst *atomicFile, output string, meta Meta, opts WriterOptions) (*npyWriter, error) {
	// Ids without an array are left over from a run that was killed between the two.
	ids, err := createFile(idsOf(output), true)
	if err != nil {
		return nil, err
	}
	w := &npyWriter{dst: dst, ids: ids, dim: meta.Dim, half: opts.DType == Float16, blank: make([]float32, meta.Dim)}
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
	if _, err := w.dst.Write(w.row); err != nil {
		return w.dst.explain(err)
	}
	w.row = appendJSONString(append(w.row[:0], `{"id":`...), r.ID)
	w.row = appendJSONOutcome(w.row, &r)
	if _, err := w.ids.Write(w.row); err != nil {
		return w.ids.explain(err)
	}
	w.rows++
	return nil
}

// Finish gives both files their names, the ids first: once the array is there, what explains it is there too. A run
// killed between the two leaves ids without an array, which the next run replaces; so an older array, which is to be
// replaced, goes before the new ids come.
func (w *npyWriter) Finish() error {
	if err := w.dst.overwrite(w.header()); err != nil {
		return w.dst.explain(err)
	}
	if err := errors.Join(w.dst.sync(), w.ids.sync()); err != nil {
		return err
	}
	if err := w.dst.discard(); err != nil {
		return err
	}
	if err := w.ids.finish(); err != nil {
		return err
	}
	if err := w.dst.finish(); err != nil {
		return errors.Join(err, os.Remove(w.ids.final))
	}
	return nil
}

func (w *npyWriter) Abort() error { return errors.Join(w.dst.abort(), w.ids.abort()) }
