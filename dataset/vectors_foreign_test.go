package dataset

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// writeForeign writes a table as Spark would: other names, no metadata, doubles, a missing number in a list.
func writeForeign(t *testing.T, dir string) string {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "path", Type: arrow.BinaryTypes.String},
		{Name: "features", Type: arrow.ListOf(arrow.PrimitiveTypes.Float64), Nullable: true},
		{Name: "features_error", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.StringBuilder).AppendValues([]string{"a", "b", "c"}, nil)
	lists := b.Field(1).(*array.ListBuilder)
	values := lists.ValueBuilder().(*array.Float64Builder)
	lists.Append(true)
	values.AppendValues([]float64{1, 2}, nil)
	lists.AppendNull()
	lists.Append(true)
	values.AppendValues([]float64{3, 0}, []bool{true, false})
	b.Field(2).(*array.StringBuilder).AppendValues([]string{"", "broken", ""}, []bool{false, true, false})
	record := b.NewRecordBatch()
	table := array.NewTableFromRecords(schema, []arrow.RecordBatch{record})
	var out bytes.Buffer
	must(t, pqarrow.WriteTable(table, &out, 100, nil, pqarrow.DefaultWriterProps()))
	path := filepath.Join(dir, "foreign.parquet")
	must(t, os.WriteFile(path, out.Bytes(), 0o666))
	return path
}
