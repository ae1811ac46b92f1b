package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// keptRow is the values of one row in the columns that are kept. It travels as the Tag of the row's item.
type keptRow struct {
	batch *keptBatch
	row   int
}

// keptBatch is the kept columns of some rows, in the order of Kept.
type keptBatch struct {
	cols     []arrow.Array // nil: the table has no such column
	rowBytes int           // about what a row takes
}

// apart copies columns out of the memory that they share with images: they stay longer, until their rows are written.
func apart(cols []arrow.Array) []arrow.Array {
	out := make([]arrow.Array, len(cols))
	for i, col := range cols {
		if col == nil {
			continue
		}
		out[i] = col
		if alone, err := array.Concatenate([]arrow.Array{col}, memory.DefaultAllocator); err == nil {
			out[i] = alone
		}
	}
	return out
}

func newKeptBatch(cols []arrow.Array, rows int) *keptBatch {
	b := &keptBatch{cols: cols}
	var total uint64
	for _, col := range cols {
		if col != nil {
			total += col.Data().SizeInBytes()
		}
	}
	b.rowBytes = int(total / uint64(max(rows, 1)))
	return b
}

// keptRows collects the kept columns of the rows that a writer holds. Rows of one batch that stand together are one run.
type keptRows struct {
	kept  *Kept
	runs  []keptRun
	dicts []*keptDictionary // of columns that are dictionaries; else nil
}

type keptRun struct {
	batch    *keptBatch // nil: null in all columns
	from, to int
}

// add takes in a row by its tag, and tells how many bytes it has about.
func (k *keptRows) add(tag any) int {
	if len(k.kept.columns()) == 0 {
		return 0
	}
	r, _ := tag.(*keptRow)
	if r == nil {
		r = &keptRow{}
	}
	if n := len(k.runs) - 1; n >= 0 && k.runs[n].batch == r.batch && (r.batch == nil || k.runs[n].to == r.row) {
		k.runs[n].to++
	} else {
		k.runs = append(k.runs, keptRun{r.batch, r.row, r.row + 1})
	}
	if r.batch == nil {
		return len(k.kept.fields)
	}
	return r.batch.rowBytes
}

func (k *keptRows) reset() {
	clear(k.runs)
	k.runs = k.runs[:0]
}

// arrays copies the rows into one array a column.
func (k *keptRows) arrays() (cols []arrow.Array, err error) {
	for c, f := range k.kept.columns() {
		col, err := k.column(c, f.Type)
		if err != nil {
			return nil, fmt.Errorf("imgvec: keep column %q: %w", f.Name, err)
		}
		cols = append(cols, col)
	}
	return cols, nil
}

func newKeptRows(kept *Kept) keptRows {
	return keptRows{kept: kept, dicts: make([]*keptDictionary, len(kept.columns()))}
}

func (k *keptRows) column(c int, typ arrow.DataType) (col arrow.Array, err error) {
	defer barrier(&err)
	pieces := make([]arrow.Array, 0, len(k.runs))
	for _, run := range k.runs {
		if run.batch == nil || run.batch.cols[c] == nil {
			pieces = append(pieces, array.MakeArrayOfNull(memory.DefaultAllocator, typ, run.to-run.from))
		} else {
			pieces = append(pieces, array.NewSlice(run.batch.cols[c], int64(run.from), int64(run.to)))
		}
	}
	if dict, ok := typ.(*arrow.DictionaryType); ok {
		if k.dicts[c] == nil {
			k.dicts[c] = &keptDictionary{typ: dict}
		}
		return k.dicts[c].join(pieces)
	}
	if len(pieces) == 1 {
		return pieces[0], nil
	}
	return array.Concatenate(pieces, memory.DefaultAllocator)
}

// sampleBatch is a batch of one row with the members of a sample.
func sampleBatch(kept *Kept, values [][]byte) *keptBatch {
	b := &keptBatch{cols: make([]arrow.Array, len(kept.fields))}
	for c, v := range values {
		if v == nil {
			continue
		}
		switch kept.fields[c].Type.ID() {
		case arrow.STRING:
			build := array.NewStringBuilder(memory.DefaultAllocator)
			build.Append(strings.ToValidUTF8(string(v), "\uFFFD"))
			b.cols[c] = build.NewArray()
		case arrow.BINARY:
			build := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
			build.Append(v)
			b.cols[c] = build.NewArray()
		}
		b.rowBytes += len(v)
	}
	return b
}

// appendJSONKept adds the kept columns to a line, as JSON has them: bytes in base64, times and decimals as text.
func appendJSONKept(line []byte, tag any, kept *Kept) []byte {
	if len(kept.columns()) == 0 {
		return line
	}
	r, _ := tag.(*keptRow)
	for c, f := range kept.fields {
		line = append(line, ',')
		line = append(appendJSONString(line, f.Name), ':')
		if r == nil || r.batch.cols[c] == nil {
			line = append(line, "null"...)
		} else {
			line = appendJSONValue(line, r.batch.cols[c], r.row)
		}
	}
	return line
}

// appendJSONValue writes one value. What JSON has no word for, such as a number that is not finite, is null.
func appendJSONValue(line []byte, a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return append(line, "null"...)
	}
	buf := bytes.NewBuffer(line)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.GetOneForMarshal(i)); err != nil {
		return append(line, "null"...)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
