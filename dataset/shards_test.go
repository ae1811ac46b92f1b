package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/testdata"
)

func testParts(rows int64) PartsOptions {
	return PartsOptions{
		Rows: rows, Run: []Setting{{"the model", "m"}}, Given: []string{"in"},
		Inputs: func(context.Context) (string, error) { return "digest", nil },
		State:  func() any { return map[string]int{"n": 1} },
	}
}

// writeParts writes rows [from, to) of the made-up ones; it does not finish.
func writeParts(t *testing.T, p *Parts, from, to, dim int) {
	t.Helper()
	for i := from; i < to; i++ {
		must(t, p.Write(testRow(i, dim)))
	}
}

// TestJoinedPartsAreOneFile: parts joined are, to every reader, what would have been written in one go.
func TestJoinedPartsAreOneFile(t *testing.T) {
	const rows, dim = 700, 300
	for _, dtype := range []DType{Float32, Float16} {
		dir := t.TempDir()
		for _, format := range formats {
			opts := testParts(123)
			opts.DType = dtype
			output := filepath.Join(dir, "x."+string(format))
			p, err := OpenParts(t.Context(), output, testMeta(dim), opts)
			must(t, err)
			writeParts(t, p, 0, rows, dim)
			must(t, p.Finish())
			must(t, p.Abort())
			v, err := OpenVectors(output, VectorsOptions{})
			must(t, err)
			n := 0
			for r, err := range v.All(t.Context(), AllColumns) {
				must(t, err)
				if want := wantRow(n, dim, dtype); fmt.Sprint(r) != fmt.Sprint(want) {
					t.Fatalf("%s %s: row %d is %v, want %v", format, dtype, n, r.ID, want.ID)
				}
				n++
			}
			if n != rows {
				t.Errorf("%s %s: %d rows, want %d", format, dtype, n, rows)
			}
		}
		if _, err := os.Stat(PartsFolder(filepath.Join(dir, "x.parquet"))); err == nil {
			t.Error("the parts are left")
		}
		readByOthers(t, 9, "testdata/readers.py", dir, string(dtype))
	}
}

func readByOthers(t *testing.T, readers int, args ...string) {
	t.Helper()
	python := os.Getenv("IMGVEC_PYTHON")
	if python == "" {
		testdata.Require(t, "pyarrow", "IMGVEC_PYTHON must name a Python that has pyarrow, pandas, polars, duckdb and numpy")
	}
	out, err := exec.CommandContext(t.Context(), python, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "ok "); n != readers {
		t.Errorf("%d readers, want %d:\n%s", n, readers, out)
	}
}

// TestShardsAreOneDataSet to pyarrow, pandas, polars and DuckDB.
func TestShardsAreOneDataSet(t *testing.T) {
	const rows, dim = 250, 20
	dir := t.TempDir()
	p, err := OpenShards(t.Context(), filepath.Join(dir, "x"), testMeta(dim), testParts(100))
	must(t, err)
	writeParts(t, p, 0, rows, dim)
	if _, err := os.Stat(filepath.Join(dir, "x", successName)); err == nil {
		t.Error("_SUCCESS is there before the end")
	}
	must(t, p.Finish())
	var names []string
	entries, err := os.ReadDir(filepath.Join(dir, "x"))
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"_SUCCESS", "part-00000.parquet", "part-00001.parquet", "part-00002.parquet"}; !slices.Equal(names, want) {
		t.Errorf("the folder has %v, want %v", names, want)
	}
	writeRows(t, filepath.Join(dir, "whole.parquet"), rows, dim, WriterOptions{})
	readByOthers(t, 7, "testdata/shards.py", filepath.Join(dir, "x"), filepath.Join(dir, "whole.parquet"))
}

// TestPartsOfSkippedItems: items without rows count where the next run goes on, also behind the last row.
func TestPartsOfSkippedItems(t *testing.T) {
	const dim = 20
	for _, joined := range []bool{false, true} {
		output := filepath.Join(t.TempDir(), "x.parquet")
		open := OpenShards
		if joined {
			open = OpenParts
		}
		opts := testParts(2)
		p, err := open(t.Context(), output, testMeta(dim), opts)
		must(t, err)
		p.Skip()
		writeParts(t, p, 0, 2, dim) // row 0 and 1: the first part, of three items
		p.Skip()
		writeParts(t, p, 2, 3, dim)
		must(t, p.Keep())
		must(t, p.Abort())
		opts.Resume = true
		p, err = open(t.Context(), output, testMeta(dim), opts)
		must(t, err)
		want := Before{Parts: 1, Items: 3, Rows: 2}
		if joined { // what was begun is kept
			want = Before{Parts: 2, Items: 5, Rows: 3}
		}
		if got := p.Before(); got.Parts != want.Parts || got.Items != want.Items || got.Rows != want.Rows || len(got.States) != want.Parts || string(got.States[0]) != `{"n":1}` {
			t.Errorf("before: %+v, want %+v", got, want)
		}
		p.Skip()
		must(t, p.Finish())
		v, err := OpenVectors(output, VectorsOptions{})
		must(t, err)
		if n, _ := v.Rows(); n != want.Rows {
			t.Errorf("%d rows, want %d", n, want.Rows)
		}
	}
}

// TestNoRowsAtAll: an output without a row has its columns all the same.
func TestNoRowsAtAll(t *testing.T) {
	for _, format := range formats {
		for _, open := range []func(context.Context, string, Meta, PartsOptions) (*Parts, error){OpenShards, OpenParts} {
			output := filepath.Join(t.TempDir(), "x."+string(format))
			p, err := open(t.Context(), output, testMeta(20), testParts(2))
			must(t, err)
			p.Skip()
			must(t, p.Finish())
			v, err := OpenVectors(output, VectorsOptions{})
			must(t, err)
			for r, err := range v.All(t.Context(), AllColumns) {
				t.Errorf("there is the row %v, %v", r, err)
			}
		}
	}
}

// TestJoinedButNotCleared: a process that dies between the last two steps leaves the output and its parts; the next run
// only clears up, and does not take the output for somebody else's.
func TestJoinedButNotCleared(t *testing.T) {
	for _, format := range formats {
		output := filepath.Join(t.TempDir(), "x."+string(format))
		p, err := OpenParts(t.Context(), output, testMeta(20), testParts(2))
		must(t, err)
		writeParts(t, p, 0, 5, 20)
		must(t, p.cut())
		must(t, p.join())
		must(t, os.Remove(p.path(0))) // it died while it removed the parts
		must(t, p.man.close())
		before, err := os.ReadFile(output)
		must(t, err)
		opts := testParts(2)
		must(t, CheckParts(output, PartsOptions{Resume: true}))
		opts.Resume = true
		p, err = OpenParts(t.Context(), output, testMeta(20), opts)
		must(t, err)
		if p.Before().Items != 5 {
			t.Errorf("%s: %+v", format, p.Before())
		}
		must(t, p.Finish())
		after, err := os.ReadFile(output)
		must(t, err)
		if _, err := os.Stat(PartsFolder(output)); err == nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the parts are left, or the output is another", format)
		}
		if _, err := OpenParts(t.Context(), output, testMeta(20), opts); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: a whole output can be resumed: %v", format, err)
		}
	}
}

// TestPartNames keep the order of parts beyond five digits.
func TestPartNames(t *testing.T) {
	last := ""
	for _, n := range []int{0, 1, 9, 10, 99_999, 100_000, 100_001, 199_999, 200_000, 2_599_999} {
		name := partName(n)
		if name <= last || !isPartName(name+".parquet") {
			t.Errorf("part %d is %s, behind %s", n, name, last)
		}
		last = name
	}
}
