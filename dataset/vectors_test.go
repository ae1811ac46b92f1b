package dataset

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// wantRow is what a made-up row must be read back as.
func wantRow(i, dim int, dtype DType) VectorRow {
	r := testRow(i, dim)
	want := VectorRow{Row: int64(i), ID: r.ID, Features: r.Features, Error: r.reason(), Width: r.Width, Height: r.Height}
	if dtype == Float16 {
		for j, v := range want.Features {
			want.Features[j] = float16value(float16bits(v))
		}
	}
	return want
}

func TestVectorsReadBackWhatWasWritten(t *testing.T) {
	const rows, dim = 9000, 300 // several row groups and record batches
	for _, dtype := range []DType{Float32, Float16} {
		for _, format := range formats {
			t.Run(fmt.Sprint(format, dtype), func(t *testing.T) {
				output := filepath.Join(t.TempDir(), "x."+string(format))
				writeRows(t, output, rows, dim, WriterOptions{DType: dtype})
				v, err := OpenVectors(output, VectorsOptions{})
				must(t, err)
				n := 0
				for r, err := range v.All(t.Context(), AllColumns) {
					must(t, err)
					if want := wantRow(n, dim, dtype); !reflect.DeepEqual(want, r) {
						t.Fatalf("row %d: %s", n, cmp.Diff(want, r))
					}
					n++
				}
				if n != rows {
					t.Errorf("%d rows, want %d", n, rows)
				}
				checkVectorsMeta(t, v, format, rows, dim)
			})
		}
	}
}

func checkVectorsMeta(t *testing.T, v *Vectors, format Format, rows int64, dim int) {
	t.Helper()
	want := testMeta(dim)
	if format == NPY || format == JSONLines {
		want = Meta{Dim: dim}
	}
	if diff := cmp.Diff(want, v.Meta()); diff != "" {
		t.Errorf("metadata: %s", diff)
	}
	if n, known := v.Rows(); known && n != rows || (format == Parquet || format == NPY) && !known {
		t.Errorf("rows %d, known %v; want %d", n, known, rows)
	}
}

func TestVectorsBatchesCoverEveryRowOnce(t *testing.T) {
	const rows, dim = 9000, 300
	for _, format := range formats {
		output := filepath.Join(t.TempDir(), "x."+string(format))
		writeRows(t, output, rows, dim, WriterOptions{})
		v, err := OpenVectors(output, VectorsOptions{})
		must(t, err)
		var mu sync.Mutex
		seen := make([]int, rows)
		err = v.Each(t.Context(), Columns{Features: true}, 3, func(_ int, b *Batch) error {
			mu.Lock()
			defer mu.Unlock()
			for i, at := range b.Index {
				row := int(b.Row) + int(at)
				seen[row]++
				if want := testRow(row, dim).Features; !slices.Equal(b.Vector(i), want) {
					return fmt.Errorf("row %d has another's vector", row)
				}
			}
			return nil
		})
		must(t, err)
		for row, n := range seen {
			if want := map[bool]int{true: 0, false: 1}[row%7 == 3]; n != want {
				t.Fatalf("%s: row %d came %d times, want %d", format, row, n, want)
			}
		}
	}
}

func TestVectorsOfAFolder(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"part-000000.parquet", "part-000001.parquet"} {
		w, err := Create(filepath.Join(dir, name), testMeta(20), WriterOptions{})
		must(t, err)
		for row := range 50 {
			must(t, w.Write(testRow(i*50+row, 20)))
		}
		must(t, w.Finish())
	}
	must(t, os.WriteFile(filepath.Join(dir, "_SUCCESS"), nil, 0o666))
	must(t, os.WriteFile(filepath.Join(dir, ".part-000002.parquet.tmp"), []byte("half"), 0o666))
	v, err := OpenVectors(dir, VectorsOptions{})
	must(t, err)
	n := 0
	for r, err := range v.All(t.Context(), AllColumns) {
		must(t, err)
		if diff := cmp.Diff(wantRow(n, 20, Float32), r); diff != "" {
			t.Fatal(diff)
		}
		n++
	}
	if known, ok := v.Rows(); n != 100 || known != 100 || !ok {
		t.Errorf("read %d rows, knows of %d", n, known)
	}

	other := testMeta(20)
	other.ModelSHA256 = "cd34"
	w, err := Create(filepath.Join(dir, "part-000003.parquet"), other, WriterOptions{})
	must(t, err)
	must(t, w.Finish())
	if _, err := OpenVectors(dir, VectorsOptions{}); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "another model") {
		t.Errorf("shards of two models were taken: %v", err)
	}
}

func TestVectorsOfOthers(t *testing.T) {
	dir := t.TempDir()
	v, err := OpenVectors(writeForeign(t, dir), VectorsOptions{})
	must(t, err)
	var got []VectorRow
	for r, err := range v.All(t.Context(), AllColumns) {
		must(t, err)
		got = append(got, r)
	}
	want := []VectorRow{
		{Row: 0, ID: "a", Features: []float32{1, 2}},
		{Row: 1, ID: "b", Error: "broken"},
		{Row: 2, ID: "c", Features: []float32{3, float32(math.NaN())}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	if v.Meta().Dim != 2 {
		t.Errorf("%d features a row, want 2", v.Meta().Dim)
	}
}

func TestVectorsThatAreNone(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.parquet")
	writeRows(t, good, 10, 4, WriterOptions{})
	whole, err := os.ReadFile(good)
	must(t, err)
	files := map[string]string{
		"half.parquet": string(whole[:len(whole)/2]), "text.parquet": "no parquet", "text.arrow": "no arrow at all", "text.arrows": "no arrow",
		"text.npy": "no array", "text.jsonl": "no json\n", "text.csv": "id,features\n", "empty.parquet": "",
		"short.npy":    "\x93NUMPY\x01\x00\x76\x00" + fmt.Sprintf("%-117s\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }"),
		"uneven.jsonl": `{"id":"a","features":[1,2]}` + "\n" + `{"id":"b","features":[1,2,3]}` + "\n",
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o666))
		v, err := OpenVectors(path, VectorsOptions{})
		if err == nil {
			err = v.Each(context.Background(), AllColumns, 1, func(int, *Batch) error { return nil })
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v; want an error that names the file", name, err)
		}
	}
	for _, opts := range []VectorsOptions{{FeaturesColumn: "vectors"}, {IDColumn: "key"}, {FeaturesColumn: "id"}} {
		if _, err := OpenVectors(good, opts); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v; want ErrUsage", opts, err)
		}
	}
}

func TestVectorsPassEndsEarly(t *testing.T) {
	output := filepath.Join(t.TempDir(), "x.parquet")
	writeRows(t, output, 9000, 300, WriterOptions{})
	v, err := OpenVectors(output, VectorsOptions{})
	must(t, err)
	stop := errors.New("enough")
	if err := v.Each(t.Context(), AllColumns, 2, func(int, *Batch) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the callee's error became %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.Each(ctx, AllColumns, 2, func(int, *Batch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled pass ended with %v", err)
	}
}
