package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pqfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/imgvec/imgvec"
)

var formats = []Format{Parquet, ArrowFile, ArrowStream, NPY, JSONLines}

func testMeta(dim int) Meta {
	return Meta{
		Model: "efficientnet-lite0", ModelSHA256: "ab12", Dim: dim, Feature: "features", Precision: imgvec.FP32,
		Provider: "OpenVINO", Device: "cpu", Decoder: "libjpeg-turbo 3.2.0", Version: "1.2.3",
		Preset: imgvec.Preset{InputSize: imgvec.Size{Height: 224, Width: 224}, Interpolation: imgvec.Bicubic},
	}
}

// testRow is row i of a made-up output: every seventh failed, one of them after its size was known.
func testRow(i, dim int) Row {
	r := imgvec.Result{ID: fmt.Sprintf("photos/é %d.jpg", i), Index: i, Width: 100 + i, Height: 50 + i}
	if i%7 == 3 {
		r.Err = &imgvec.ImageError{ID: r.ID, Index: i, Err: fmt.Errorf("%w: bad byte \xff at \"%d\"", imgvec.ErrDecode, i)}
		if i%2 == 0 {
			r.Width, r.Height = 0, 0
		}
		return Row{r}
	}
	r.Features = make([]float32, dim)
	for j := range r.Features {
		r.Features[j] = float32(math.Sin(float64(i*dim+j))) * 3
	}
	return Row{r}
}

func writeRows(t *testing.T, output string, rows, dim int, opts WriterOptions) {
	t.Helper()
	w, err := Create(output, testMeta(dim), opts)
	must(t, err)
	for i := range rows {
		must(t, w.Write(testRow(i, dim)))
	}
	must(t, w.Finish())
	must(t, w.Abort())
}

// stored is what a row should read back as.
func stored(r *Row, dtype DType) []float32 {
	out := make([]float32, len(r.Features))
	for i, v := range r.Features {
		if dtype == Float16 {
			v = float16value(float16bits(v))
		}
		out[i] = v
	}
	return out
}

func checkRecords(t *testing.T, records []arrow.RecordBatch, rows, dim int, dtype DType) {
	t.Helper()
	i := 0
	for _, rec := range records {
		for k := range int(rec.NumRows()) {
			want := testRow(i, dim)
			checkStored(t, rec, k, &want, stored(&want, dtype))
			i++
		}
	}
	if i != rows {
		t.Errorf("%d rows, want %d", i, rows)
	}
}

func checkStored(t *testing.T, rec arrow.RecordBatch, k int, want *Row, features []float32) {
	t.Helper()
	if id := rec.Column(0).(*array.String).Value(k); id != want.ID {
		t.Fatalf("id %q, want %q", id, want.ID)
	}
	errs, width := rec.Column(2).(*array.String), rec.Column(3).(*array.Int32)
	list := rec.Column(1).(*array.List)
	if (want.Err != nil) != list.IsNull(k) || (want.Err == nil) != errs.IsNull(k) || (want.Width == 0) != width.IsNull(k) {
		t.Fatalf("%s: nulls: features %v, error %v, width %v", want.ID, list.IsNull(k), errs.IsNull(k), width.IsNull(k))
	}
	if want.Err != nil {
		if errs.Value(k) != want.reason() || !strings.Contains(errs.Value(k), "not decodable") {
			t.Fatalf("%s: error %q", want.ID, errs.Value(k))
		}
		return
	}
	start, end := list.ValueOffsets(k)
	if int(end-start) != len(features) || width.Value(k) != int32(want.Width) || rec.Column(4).(*array.Int32).Value(k) != int32(want.Height) {
		t.Fatalf("%s: %d features, %d wide", want.ID, end-start, width.Value(k))
	}
	for j, v := range features {
		if got := element(list.ListValues(), int(start)+j); got != v {
			t.Fatalf("%s: feature %d is %v, want %v", want.ID, j, got, v)
		}
	}
}

func element(values arrow.Array, i int) float32 {
	if half, ok := values.(*array.Float16); ok {
		return float16value(half.Value(i).Uint16())
	}
	return values.(*array.Float32).Value(i)
}

func checkMeta(t *testing.T, meta arrow.Metadata) {
	t.Helper()
	for key, want := range map[string]string{
		"imgvec.model": "efficientnet-lite0", "imgvec.model_sha256": "ab12", "imgvec.precision": "fp32", "imgvec.dim": "300",
		"imgvec.provider": "OpenVINO", "imgvec.decoder": "libjpeg-turbo 3.2.0", "imgvec.version": "1.2.3",
	} {
		if got, _ := meta.GetValue(key); got != want {
			t.Errorf("metadata %s = %q, want %q", key, got, want)
		}
	}
	if preset, _ := meta.GetValue("imgvec.preset"); !strings.Contains(preset, `"bicubic"`) {
		t.Errorf("metadata preset = %q", preset)
	}
	if _, found := meta.GetValue("imgvec.random_weights"); found {
		t.Error("a trained model is marked as random")
	}
}

func TestParquetRoundTrip(t *testing.T) {
	for _, dtype := range []DType{Float32, Float16} {
		output := filepath.Join(t.TempDir(), "x.parquet")
		writeRows(t, output, 15000, 300, WriterOptions{DType: dtype})
		r, err := pqfile.OpenParquetFile(output, false)
		must(t, err)
		for g := range r.NumRowGroups() {
			if n := r.MetaData().RowGroup(g).TotalByteSize(); n >= 16<<20 {
				t.Errorf("row group %d has %d bytes", g, n)
			}
		}
		if dtype == Float32 && r.NumRowGroups() < 2 {
			t.Error("all in one row group: the test is too small")
		}
		reader, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: 1000}, memory.DefaultAllocator)
		must(t, err)
		records, err := reader.GetRecordReader(t.Context(), nil, nil)
		must(t, err)
		var all []arrow.RecordBatch
		for records.Next() {
			rec := records.RecordBatch()
			rec.Retain()
			all = append(all, rec)
		}
		schema, err := reader.Schema()
		must(t, err)
		checkMeta(t, schema.Metadata())
		checkRecords(t, all, 15000, 300, dtype)
		must(t, r.Close())
	}
}

func TestArrowRoundTrip(t *testing.T) {
	for _, dtype := range []DType{Float32, Float16} {
		output := filepath.Join(t.TempDir(), "x.arrow")
		writeRows(t, output, 8000, 300, WriterOptions{DType: dtype})
		f, err := os.Open(output)
		must(t, err)
		r, err := ipc.NewFileReader(f)
		must(t, err)
		var all []arrow.RecordBatch
		for i := range r.NumRecords() {
			rec, err := r.RecordBatchAt(i)
			must(t, err)
			all = append(all, rec)
		}
		checkMeta(t, r.Schema().Metadata())
		checkRecords(t, all, 8000, 300, dtype)
	}
}

func TestArrowStreamRoundTrip(t *testing.T) {
	var buf bytes.Buffer
	writeRows(t, "-", 3000, 300, WriterOptions{Stdout: &buf})
	r, err := ipc.NewReader(&buf)
	must(t, err)
	var all []arrow.RecordBatch
	for r.Next() {
		rec := r.RecordBatch()
		rec.Retain()
		all = append(all, rec)
	}
	must(t, r.Err())
	checkMeta(t, r.Schema().Metadata())
	checkRecords(t, all, 3000, 300, Float32)
}

func TestAbortedStreamIsNoStream(t *testing.T) {
	var buf bytes.Buffer
	w, err := Create("-", testMeta(300), WriterOptions{Stdout: &buf})
	must(t, err)
	for i := range 2000 {
		must(t, w.Write(testRow(i, 300)))
	}
	must(t, w.Abort())
	r, err := ipc.NewReader(&buf)
	must(t, err)
	for r.Next() {
	}
	if r.Err() == nil {
		t.Error("a stream that was broken off reads as a whole one")
	}
}

func TestNPY(t *testing.T) {
	for dtype, size := range map[DType]int{Float32: 4, Float16: 2} {
		output := filepath.Join(t.TempDir(), "x.npy")
		writeRows(t, output, 40, 30, WriterOptions{DType: dtype})
		data, err := os.ReadFile(output)
		must(t, err)
		header := fmt.Sprintf("{'descr': '<f%d', 'fortran_order': False, 'shape': (40, 30, ), }", size)
		if len(data) != 128+40*30*size || !bytes.HasPrefix(data[10:], []byte(header)) || data[127] != '\n' {
			t.Fatalf("%d bytes, header %q", len(data), data[:128])
		}
		for i := range 40 {
			want := testRow(i, 30)
			row := data[128+i*30*size:][:30*size]
			if want.Err != nil {
				want.Features = []float32{float32(math.NaN())}
				row = row[:size]
			}
			if got := appendFloats(nil, want.Features, dtype == Float16); !bytes.Equal(got, row) {
				t.Fatalf("row %d: %x, want %x", i, row, got)
			}
		}
		checkJSONRows(t, idsOf(output), 40, 0)
	}
}

func TestJSONLines(t *testing.T) {
	output := filepath.Join(t.TempDir(), "x.jsonl")
	writeRows(t, output, 40, 30, WriterOptions{})
	checkJSONRows(t, output, 40, 30)
}

func checkJSONRows(t *testing.T, path string, rows, dim int) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	i := 0
	for lines := bufio.NewScanner(f); lines.Scan(); i++ {
		var got struct {
			ID            string
			Features      []float32
			Error         *string
			Width, Height *int
		}
		must(t, json.Unmarshal(lines.Bytes(), &got))
		want := testRow(i, dim)
		if got.ID != want.ID || (got.Error != nil) != (want.Err != nil) || (got.Width == nil) != (want.Width == 0) {
			t.Fatalf("line %d: %s", i, lines.Text())
		}
		if fmt.Sprint(got.Features) != fmt.Sprint(want.Features) {
			t.Fatalf("line %d: features %v, want %v", i, got.Features, want.Features)
		}
	}
	if i != rows {
		t.Errorf("%d lines, want %d", i, rows)
	}
}

func TestJSONHasNoWordForNaN(t *testing.T) {
	got := appendJSONFloats(nil, []float32{1, float32(math.NaN()), float32(math.Inf(-1)), 1e-20}, false)
	if string(got) != "[1,null,null,1e-20]" {
		t.Errorf("%s", got)
	}
}

func TestEmptyOutputs(t *testing.T) {
	for _, format := range formats {
		output := filepath.Join(t.TempDir(), "x."+string(format))
		writeRows(t, output, 0, 30, WriterOptions{})
		if info, err := os.Stat(output); err != nil || format != JSONLines && info.Size() == 0 {
			t.Errorf("%s: %v, %v", format, info, err)
		}
	}
}

func TestWriterRefusesOtherDims(t *testing.T) {
	for _, format := range formats {
		w, err := Create(filepath.Join(t.TempDir(), "x."+string(format)), testMeta(30), WriterOptions{})
		must(t, err)
		if err := w.Write(testRow(0, 31)); err == nil {
			t.Errorf("%s took 31 features for 30", format)
		}
		must(t, w.Abort())
	}
}

func TestNothingUnderTheFinalNameBeforeFinish(t *testing.T) {
	for _, format := range formats {
		dir := t.TempDir()
		output := filepath.Join(dir, "x."+string(format))
		w, err := Create(output, testMeta(30), WriterOptions{})
		must(t, err)
		for i := range 100 {
			must(t, w.Write(testRow(i, 30)))
		}
		if _, err := os.Stat(output); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: there before Finish", format)
		}
		must(t, w.Abort())
		must(t, w.Abort())
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left after Abort: %v", format, left)
		}
		writeRows(t, output, 3, 30, WriterOptions{})
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Errorf("%s: left after Finish: %v", format, left)
		}
	}
}

func TestOutputChecks(t *testing.T) {
	plant(t, "there.parquet", "d.npy/", "f", "dangling.npy -> nowhere", "link.parquet -> real/there.parquet", "real/there.parquet")
	for output, want := range map[string]string{
		"x":             "unknown format",
		"x.csv":         `unknown format ".csv"`,
		"there.parquet": "use --force",
		"link.parquet":  "use --force",
		"d.npy":         "is a folder",
		"nosuch/x.npy":  `no folder "nosuch"`,
		"f/x.npy":       "",
		"dangling.npy":  "does not exist",
	} {
		err := CheckOutput(output, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckOutput(%q): %v, want %q", output, err, want)
		}
		if _, err2 := Create(output, testMeta(1), WriterOptions{}); err2 == nil {
			t.Errorf("Create(%q) worked", output)
		}
	}
	for _, output := range []string{"-", "x.parquet", "X.NPY", "real/x.arrows"} {
		must(t, CheckOutput(output, false))
	}
	must(t, CheckOutput("there.parquet", true))
	writeRows(t, "link.parquet", 3, 3, WriterOptions{Force: true})
	if info, err := os.Lstat("link.parquet"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
}

func TestOutputThatAppearsMeanwhileIsKept(t *testing.T) {
	plant(t)
	w, err := Create("x.jsonl", testMeta(3), WriterOptions{})
	must(t, err)
	must(t, os.WriteFile("x.jsonl", []byte("mine"), 0o644))
	if err := w.Finish(); !errors.Is(err, ErrUsage) {
		t.Errorf("Finish: %v", err)
	}
	must(t, w.Abort())
	if data, _ := os.ReadFile("x.jsonl"); string(data) != "mine" {
		t.Errorf("now it holds %q", data)
	}
}

func TestLeftoversOfKilledRuns(t *testing.T) {
	plant(t, ".x.npy.imgvec-999999999.tmp", ".x.npy.ids.jsonl.imgvec-999999999.tmp", ".y.npy.imgvec-999999999.tmp", ".x.npy.imgvec-abc.tmp")
	must(t, os.WriteFile(tempName("x.npy", os.Getppid()), nil, 0o644))
	writeRows(t, "x.npy", 3, 3, WriterOptions{})
	left, err := filepath.Glob(".*")
	must(t, err)
	if len(left) != 3 {
		t.Errorf("left: %v, want those of another output, of a living process and of no process", left)
	}
}

func TestTwoWritersOfOneOutput(t *testing.T) {
	plant(t)
	first, err := Create("x.jsonl", testMeta(3), WriterOptions{})
	must(t, err)
	if _, err := Create("x.jsonl", testMeta(3), WriterOptions{}); err == nil {
		t.Error("a second writer of the same process took the first one's file")
	}
	must(t, first.Finish())
}

// TestNoArrayWithoutItsIDs: where the ids can't get their name, the array does not get its own either, and an older
// array that was to be replaced is not left beside them.
func TestNoArrayWithoutItsIDs(t *testing.T) {
	for _, force := range []bool{false, true} {
		plant(t)
		if force {
			writeRows(t, "x.npy", 3, 3, WriterOptions{})
			must(t, os.Remove(idsOf("x.npy")))
		}
		w, err := Create("x.npy", testMeta(3), WriterOptions{Force: force})
		must(t, err)
		must(t, w.Write(testRow(0, 3)))
		must(t, os.MkdirAll(filepath.Join(idsOf("x.npy"), "in the way"), 0o755))
		if err := w.Finish(); err == nil {
			t.Error("Finish worked over a folder")
		}
		must(t, w.Abort())
		left, err := os.ReadDir(".")
		must(t, err)
		if len(left) != 1 || !left[0].IsDir() {
			t.Errorf("force %v: left %v", force, left)
		}
	}
}

func TestExplain(t *testing.T) {
	f := &atomicFile{output: "x.npy", final: "/data/x.npy", written: 3 << 20}
	for err, want := range map[error]string{
		syscall.ENOSPC: `write "x.npy": no space left in folder "/data" after 3.0 MiB`,
		syscall.EDQUOT: "choose another folder",
		syscall.EFBIG:  "ulimit -f",
		syscall.EIO:    "input/output error",
	} {
		got := f.explain(&fs.PathError{Op: "write", Path: "/data/.x.npy.imgvec-1.tmp", Err: err})
		if !strings.Contains(got.Error(), want) || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
	if f.explain(nil) != nil {
		t.Error("no error was explained")
	}
}
