package dataset

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// row is what a test sees of an item: its content, or its error.
type row struct{ ID, Data, Err string }

// rowsOf reads all items of a source, from skip on.
func rowsOf(t *testing.T, src *Source, skip int64) (rows []row) {
	t.Helper()
	for item := range src.ItemsFrom(context.Background(), skip) {
		r := row{ID: item.ID, Data: string(item.Data)}
		if item.Data == nil {
			data, err := openAll(item.Open)
			r.Data = string(data)
			if err != nil {
				r.Err = err.Error()
			}
		}
		rows = append(rows, r)
	}
	must(t, src.Err())
	return rows
}

func openAll(open func() (io.ReadCloser, error)) ([]byte, error) {
	rc, err := open()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}

// rowsIn reads inputs, and looks whether Count, Any, Digest and ItemsFrom agree with Items.
func rowsIn(t *testing.T, opts SourceOptions, inputs ...string) (rows []row, ignored int64) {
	t.Helper()
	src, err := Open(inputs, opts)
	must(t, err)
	rows = rowsOf(t, src, 0)
	ignored = src.Ignored()
	n, known, err := src.Count(context.Background())
	must(t, err)
	if known && n != int64(len(rows)) {
		t.Errorf("Count of %q says %d, Items gives %d", inputs, n, len(rows))
	}
	some, err := src.Any(context.Background())
	must(t, err)
	if some != (len(rows) > 0) {
		t.Errorf("Any of %q says %v, Items gives %d", inputs, some, len(rows))
	}
	for skip := range len(rows) + 2 {
		tail := rowsOf(t, src, int64(skip))
		want := rows[min(skip, len(rows)):]
		if fmt.Sprint(tail) != fmt.Sprint(want) {
			t.Errorf("ItemsFrom(%d) of %q gives %d rows, want the last %d:\n%.300v\n%.300v", skip, inputs, len(tail), len(want), tail, want)
			break
		}
	}
	return rows, ignored
}

// aTable is rows of a column content (null in every fifth row), a column name, and a column nested.
func aTable(rows int) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "content", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "nested", Type: arrow.StructOf(arrow.Field{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int16), Nullable: true}), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := range rows {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("n%d", i))
		if i%5 == 4 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.BinaryBuilder).Append(fmt.Appendf(nil, "image %d", i))
		}
		s := b.Field(2).(*array.StructBuilder)
		if i%3 == 0 {
			s.AppendNull()
			continue
		}
		s.Append(true)
		l := s.FieldBuilder(0).(*array.ListBuilder)
		l.Append(true)
		l.ValueBuilder().(*array.Int16Builder).Append(int16(i))
	}
	return b.NewRecordBatch()
}

// parquetBytes writes a table as Parquet, with row groups of so many rows.
func parquetBytes(t *testing.T, batch arrow.RecordBatch, group int64, codec compress.Compression) []byte {
	t.Helper()
	var buf bytes.Buffer
	props := parquet.NewWriterProperties(parquet.WithCompression(codec), parquet.WithMaxRowGroupLength(group))
	table := array.NewTableFromRecords(batch.Schema(), []arrow.RecordBatch{batch})
	must(t, pqarrow.WriteTable(table, &buf, group, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema())))
	return buf.Bytes()
}

// arrowBytes writes a table as an Arrow file or stream, in batches of so many rows.
func arrowBytes(t *testing.T, batch arrow.RecordBatch, each int64, stream bool, opts ...ipc.Option) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w interface {
		Write(arrow.RecordBatch) error
		Close() error
	}
	opts = append(opts, ipc.WithSchema(batch.Schema()))
	w = ipc.NewWriter(&buf, opts...)
	if !stream {
		var err error
		w, err = ipc.NewFileWriter(&buf, opts...)
		must(t, err)
	}
	for from := int64(0); from < batch.NumRows(); from += each {
		must(t, w.Write(batch.NewSlice(from, min(from+each, batch.NumRows()))))
	}
	must(t, w.Close())
	return buf.Bytes()
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(name, data, 0o644))
}
