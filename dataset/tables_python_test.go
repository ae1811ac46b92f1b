package dataset

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/testdata"
)

func runPython(t *testing.T, args ...string) string {
	t.Helper()
	python := os.Getenv("IMGVEC_PYTHON")
	if python == "" {
		testdata.Require(t, "pyarrow", "IMGVEC_PYTHON must name a Python that has pyarrow, pandas, polars, duckdb and numpy")
	}
	out, err := exec.CommandContext(t.Context(), python, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// TestTablesOfOthers reads files that pyarrow, pandas, polars, DuckDB and Python's tarfile have written.
func TestTablesOfOthers(t *testing.T) {
	dir := t.TempDir()
	runPython(t, "testdata/tables.py", "make", dir)
	t.Chdir(dir)
	files, err := filepath.Glob("*.*")
	must(t, err)
	if len(files) < 20 {
		t.Fatalf("%d files", len(files))
	}
	for _, name := range files {
		opts := SourceOptions{IDColumn: "name"}
		if strings.HasPrefix(name, "kept.") {
			opts.IDColumn = ""
		}
		got, _ := rowsIn(t, opts, name)
		var want []row
		for i := range 10 {
			id := fmt.Sprintf("n%d", i)
			if opts.IDColumn == "" {
				id = fmt.Sprint(i)
			}
			want = append(want, row{ID: id, Data: fmt.Sprintf("image %d", i)})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestKeptColumns keeps all columns of a table, twice in one run and with an image file behind it, whose row has none.
// Python compares values and types.
func TestKeptColumns(t *testing.T) {
	dir := t.TempDir()
	runPython(t, "testdata/tables.py", "make", dir)
	for _, name := range []string{"kept.parquet", "kept.arrow"} {
		for _, format := range formats {
			path := filepath.Join(dir, name)
			out := filepath.Join(dir, "out-"+name+"."+string(format))
			writeKept(t, out, path, path, filepath.Join(dir, "x.jpg"))
		}
	}
	if out := runPython(t, "testdata/tables.py", "check", dir); strings.Count(out, "ok ") != 10 {
		t.Errorf("not all was checked:\n%s", out)
	}
}

// writeKept writes a row for each image of the inputs, with all columns kept.
func writeKept(t *testing.T, out string, inputs ...string) {
	t.Helper()
	src, err := Open(inputs, SourceOptions{KeepColumns: []string{"*"}})
	must(t, err)
	w, err := Create(out, Meta{Dim: 2}, WriterOptions{Kept: src.Kept()})
	must(t, err)
	for item := range src.Items(context.Background()) {
		r := imgvec.Result{ID: item.ID, Features: []float32{1, 2}, Tag: item.Tag}
		must(t, w.Write(Row{Result: r}))
	}
	must(t, src.Err())
	must(t, w.Finish())
}
