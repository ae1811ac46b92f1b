package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/imgvec/imgvec/internal/testdata"
)

// tablesOf packs the pictures of a folder into x.tar, x.parquet and x.arrow, in dir.
func tablesOf(t *testing.T, folder, dir string) (n int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	must(t, err)
	slices.Sort(names)
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "image", Type: arrow.BinaryTypes.Binary, Nullable: true}, {Name: "label", Type: arrow.PrimitiveTypes.Int16},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, name := range names {
		data, err := os.ReadFile(name)
		must(t, err)
		base := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
		for ext, body := range map[string][]byte{"jpg": data, "json": fmt.Appendf(nil, `{"label":%d}`, i)} {
			must(t, w.WriteHeader(&tar.Header{Name: base + "." + ext, Mode: 0o644, Size: int64(len(body))}))
			_, err = w.Write(body)
			must(t, err)
		}
		b.Field(0).(*array.BinaryBuilder).Append(data)
		b.Field(1).(*array.Int16Builder).Append(int16(i))
	}
	must(t, w.Close())
	must(t, os.WriteFile(filepath.Join(dir, "x.tar"), packed.Bytes(), 0o644))
	batch := b.NewRecordBatch()
	var pq, file bytes.Buffer
	must(t, pqarrow.WriteTable(array.NewTableFromRecords(schema, []arrow.RecordBatch{batch}), &pq, 8, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps()))
	must(t, os.WriteFile(filepath.Join(dir, "x.parquet"), pq.Bytes(), 0o644))
	fw, err := ipc.NewFileWriter(&file, ipc.WithSchema(schema))
	must(t, err)
	must(t, fw.Write(batch))
	must(t, fw.Close())
	must(t, os.WriteFile(filepath.Join(dir, "x.arrow"), file.Bytes(), 0o644))
	return len(names)
}

// TestExtractTables: the same pictures as files, in an archive and in tables have the same features, and the columns that
// are kept stand beside them.
func TestExtractTables(t *testing.T) {
	needModel(t)
	folder, dir := pictures(t, 20), t.TempDir()
	n := tablesOf(t, folder, dir)
	must(t, os.WriteFile(filepath.Join(dir, "broken.tar"), []byte("no archive"), 0o644))
	call{args: []string{"extract", folder, "-o", "files.jsonl"}, dir: dir}.run(t).want(t, 0, fmt.Sprintf("files.jsonl: %d rows", n))
	want, _, err := readRows(filepath.Join(dir, "files.jsonl"))
	must(t, err)
	for input, keep := range map[string]string{"x.tar": "json", "x.parquet": "label", "x.arrow": "*"} {
		o := call{args: []string{"extract", "broken.tar", input, "-o", input + ".jsonl", "--keep-columns", keep}, dir: dir}.run(t)
		o.want(t, 0, "1 image failed", "broken.tar", fmt.Sprintf("%s.jsonl: %d rows", input, n+1))
		rows, _, err := readRows(filepath.Join(dir, input+".jsonl"))
		must(t, err)
		text, err := os.ReadFile(filepath.Join(dir, input+".jsonl"))
		must(t, err)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		for i, r := range rows {
			var kept struct {
				Label *int
				JSON  *string
			}
			must(t, json.Unmarshal([]byte(lines[i]), &kept))
			if i == 0 {
				if r.ID != "broken.tar" || r.Error == nil || kept.Label != nil || kept.JSON != nil {
					t.Errorf("%s: the broken archive's row is %+v", input, r)
				}
				continue
			}
			if r.Error != nil || testdata.Cosine(r.Features, want[i-1].Features) < 0.99999 || *r.Width != *want[i-1].Width {
				t.Errorf("%s: row %d (%s) has other features than %s", input, i, r.ID, want[i-1].ID)
			}
			if keep == "json" && (kept.JSON == nil || *kept.JSON != fmt.Sprintf(`{"label":%d}`, i-1)) || keep != "json" && (kept.Label == nil || *kept.Label != i-1) {
				t.Errorf("%s: row %d kept %s", input, i, lines[i][len(lines[i])-60:])
			}
		}
	}
	o := call{args: []string{"preprocess", "x.tar", "-o", "x.npy"}, dir: dir}.run(t)
	o.want(t, 0, fmt.Sprintf("uint8 [%d, 224, 224, 3]", n))
}
