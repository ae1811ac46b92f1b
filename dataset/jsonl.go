package dataset

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// jsonWriter writes JSON lines: one object a row with the columns of the other formats. A feature that is not a finite
// number, for which JSON has no word, is null. The format has no place for metadata, so each row says that its features
// are those of a model with random weights: rows are copied and put together from many files.
type jsonWriter struct {
	dst    sink
	dim    int
	half   bool
	random bool
	kept   *Kept
	line   []byte
}

func newJSONWriter(dst sink, meta Meta, opts WriterOptions) *jsonWriter {
	return &jsonWriter{dst: dst, dim: meta.Dim, half: opts.DType == Float16, random: meta.RandomWeights, kept: opts.Kept}
}

func (w *jsonWriter) Write(r Row) error {
	if err := checkRow(&r, w.dim); err != nil {
		return err
	}
	line := append(w.line[:0], `{"id":`...)
	line = appendJSONString(line, r.ID)
	line = append(line, `,"features":`...)
	if r.Err == nil {
		line = appendJSONFloats(line, r.Features, w.half)
	} else {
		line = append(line, "null"...)
	}
	line = appendJSONOutcome(line, &r, w.random, w.kept)
	w.line = line
	_, err := w.dst.Write(line)
	return w.dst.explain(err)
}

// appendJSONOutcome ends a line with the columns error, width and height, the mark of random weights, and the kept columns.
func appendJSONOutcome(line []byte, r *Row, random bool, kept *Kept) []byte {
	line = append(line, `,"error":`...)
	if r.Err == nil {
		line = append(line, "null"...)
	} else {
		line = appendJSONString(line, r.reason())
	}
	for _, side := range []struct {
		key   string
		value int
	}{{`,"width":`, r.Width}, {`,"height":`, r.Height}} {
		line = append(line, side.key...)
		if r.Width > 0 && r.Height > 0 {
			line = strconv.AppendInt(line, int64(side.value), 10)
		} else {
			line = append(line, "null"...)
		}
	}
	if random {
		line = append(line, `,"random_weights":true`...)
	}
	line = appendJSONKept(line, r.Tag, kept)
	return append(line, "}\n"...)
}

func appendJSONFloats(line []byte, values []float32, half bool) []byte {
	line = append(line, '[')
	for i, v := range values {
		if i > 0 {
			line = append(line, ',')
		}
		if half {
			v = float16value(float16bits(v))
		}
		if wide := float64(v); math.IsNaN(wide) || math.IsInf(wide, 0) {
			line = append(line, "null"...)
		} else {
			line = strconv.AppendFloat(line, wide, 'g', -1, 32)
		}
	}
	return append(line, ']')
}

func appendJSONString(line []byte, s string) []byte {
	buf := bytes.NewBuffer(line)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can't fail
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

func (w *jsonWriter) Finish() error { return w.dst.finish() }
func (w *jsonWriter) Abort() error  { return w.dst.abort() }
func (w *jsonWriter) Discard() bool { return w.dst.discard() }
