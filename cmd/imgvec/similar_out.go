package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/similar"
)

// neighbourWriter takes the neighbours of one query after the other.
type neighbourWriter interface {
	write(query string, found []similar.Neighbour, ids map[int64]string) error
	finish() error
	abort() error
	queries() int64
	lines() int64
}

func (a *app) neighbourWriter(f *similarFlags, several bool) (neighbourWriter, error) {
	if f.output == "" && f.json {
		return &neighbourLines{w: a.stdout}, nil
	}
	if f.output == "" {
		return &neighbourTable{w: a.stdout, headings: several || f.queries != "", distance: f.metric == string(similar.L2)}, nil
	}
	file, err := dataset.CreateFile(f.output, f.force)
	if err != nil {
		return nil, err
	}
	a.stop.report(func() string { return "; " + fate(file, f.output) })
	if strings.EqualFold(filepath.Ext(f.output), ".parquet") {
		return newNeighbourParquet(file)
	}
	return &neighbourLines{w: file, file: file}, nil
}

// written counts what a writer has written.
type written struct{ nqueries, nlines int64 }

func (t *written) add(lines int)  { t.nqueries++; t.nlines += int64(lines) }
func (t *written) queries() int64 { return t.nqueries }
func (t *written) lines() int64   { return t.nlines }

// neighbourTable prints for a person.
type neighbourTable struct {
	written
	w                  io.Writer
	headings, distance bool
}

func (t *neighbourTable) write(query string, found []similar.Neighbour, ids map[int64]string) error {
	var b strings.Builder
	if t.headings {
		if t.nqueries > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s\n", printable(query))
	}
	for _, n := range found {
		fmt.Fprintf(&b, "%9.4f  %s\n", n.Score, printable(ids[n.Row]))
	}
	if len(found) == 0 {
		b.WriteString("  no neighbours\n")
	}
	t.add(len(found))
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *neighbourTable) finish() error { return nil }
func (t *neighbourTable) abort() error  { return nil }

// printable is a name for a terminal: what would move its cursor, turn its text round or hide in it is shown by number.
func printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

// neighbourLines writes JSON lines.
type neighbourLines struct {
	written
	w    io.Writer
	file dataset.File // nil: standard output
}

type neighbourLine struct {
	Query string  `json:"query"`
	Rank  int     `json:"rank"`
	ID    string  `json:"id"`
	Score float32 `json:"score"`
	Row   int64   `json:"row"`
}

func (l *neighbourLines) write(query string, found []similar.Neighbour, ids map[int64]string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, n := range found {
		if err := enc.Encode(neighbourLine{query, i + 1, ids[n.Row], n.Score, n.Row}); err != nil {
			return err
		}
	}
	l.add(len(found))
	_, err := l.w.Write(b.Bytes())
	return err
}

func (l *neighbourLines) finish() error {
	if l.file == nil {
		return nil
	}
	return l.file.Finish()
}

func (l *neighbourLines) abort() error {
	if l.file == nil {
		return nil
	}
	return l.file.Abort()
}

// neighbourParquet writes Parquet.
type neighbourParquet struct {
	written
	file dataset.File
	pq   *pqarrow.FileWriter
	rows *array.RecordBuilder
	held int
}

// neighbourRows is how many lines a row group has.
const neighbourRows = 256 << 10

func newNeighbourParquet(file dataset.File) (*neighbourParquet, error) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "query", Type: arrow.BinaryTypes.String}, {Name: "rank", Type: arrow.PrimitiveTypes.Int32}, {Name: "id", Type: arrow.BinaryTypes.String},
		{Name: "score", Type: arrow.PrimitiveTypes.Float32}, {Name: "row", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	props := parquet.NewWriterProperties(parquet.WithCreatedBy("imgvec "+version), parquet.WithCompression(compress.Codecs.Snappy))
	// Parquet's writer closes what it is given; the file has its own end.
	pq, err := pqarrow.NewFileWriter(schema, struct{ io.Writer }{file}, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, errors.Join(err, file.Abort())
	}
	return &neighbourParquet{file: file, pq: pq, rows: array.NewRecordBuilder(memory.DefaultAllocator, schema)}, nil
}

func (p *neighbourParquet) write(query string, found []similar.Neighbour, ids map[int64]string) error {
	for i, n := range found {
		p.rows.Field(0).(*array.StringBuilder).Append(query)
		p.rows.Field(1).(*array.Int32Builder).Append(int32(i + 1))
		p.rows.Field(2).(*array.StringBuilder).Append(ids[n.Row])
		p.rows.Field(3).(*array.Float32Builder).Append(n.Score)
		p.rows.Field(4).(*array.Int64Builder).Append(n.Row)
	}
	p.add(len(found))
	if p.held += len(found); p.held >= neighbourRows {
		return p.flush()
	}
	return nil
}

func (p *neighbourParquet) flush() error {
	p.held = 0
	record := p.rows.NewRecordBatch()
	defer record.Release()
	return p.pq.Write(record)
}

func (p *neighbourParquet) finish() error {
	if err := errors.Join(p.flush(), p.pq.Close()); err != nil {
		return err
	}
	return p.file.Finish()
}

func (p *neighbourParquet) abort() error { return p.file.Abort() }

// numbered writes "1 query", "1,234 queries".
func numbered(n int64, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "y"):
		noun = strings.TrimSuffix(noun, "y") + "ies"
	default:
		noun += "s"
	}
	return count(n) + " " + noun
}
