package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/imgvec/imgvec/internal/testdata"
)

var extensions = []string{".parquet", ".arrow", ".arrows", ".npy", ".jsonl"}

// TestExtract: every format, the same rows in the order of the input, the failed one with its reason.
func TestExtract(t *testing.T) {
	needModel(t)
	dir := pictures(t, 20)
	must(t, os.WriteFile(filepath.Join(dir, "0005b.jpg"), []byte("no image"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644))
	out := t.TempDir()
	var first []row
	for _, ext := range extensions {
		o := call{args: []string{"extract", dir, "missing.jpg", "-o", "x" + ext}, dir: out}.run(t)
		o.want(t, 0, "22 images", "2 images failed", "1 not decodable", "0005b.jpg", "1 no such file: missing.jpg", "passed by 1 file",
			"efficientnet-lite0 (1280 features) on cpu", "x"+ext+": 22 rows")
		rows, meta, err := readRows(filepath.Join(out, "x"+ext))
		must(t, err)
		if first == nil {
			first = rows
			checkRows(t, rows, dir)
			for _, key := range []string{"model", "model_sha256", "preset", "dim", "precision", "provider", "decoder", "version"} {
				if v, _ := meta.GetValue("imgvec." + key); v == "" {
					t.Errorf("no metadata imgvec.%s: %v", key, meta)
				}
			}
			continue
		}
		for i := range rows {
			if rows[i].ID != first[i].ID || (rows[i].Error == nil) != (first[i].Error == nil) ||
				ext != ".npy" && testdata.Cosine(rows[i].Features, first[i].Features) < 0.99999 && rows[i].Error == nil {
				t.Errorf("%s: row %d is %q, in Parquet %q", ext, i, rows[i].ID, first[i].ID)
			}
		}
	}
}

func checkRows(t *testing.T, rows []row, dir string) {
	t.Helper()
	if len(rows) != 22 {
		t.Fatalf("%d rows, want 22", len(rows))
	}
	for i, r := range rows {
		bad := i == 6 || i == 21
		if bad != (r.Error != nil) || bad != (r.Features == nil) || bad != (r.Width == nil) {
			t.Errorf("row %d: %+v", i, r)
		}
		if !bad && len(r.Features) != 1280 {
			t.Errorf("row %d has %d features", i, len(r.Features))
		}
		if i < 21 && filepath.Dir(r.ID) != dir || i > 0 && i < 21 && r.ID <= rows[i-1].ID {
			t.Errorf("row %d is %q", i, r.ID)
		}
	}
}

// TestPhotos: real photos through the whole command, against the reference vectors.
func TestPhotos(t *testing.T) {
	needModel(t)
	refs := testdata.NPY(t, "refs/efficientnet-lite0__photos_features_1280.npy")
	names, err := os.ReadFile(testdata.Path(t, "refs/photos.txt"))
	must(t, err)
	out := t.TempDir()
	call{
		args:  []string{"extract", "-", "-o", filepath.Join(out, "x.parquet"), "--precision", "fp32", "--exif", "ignore"},
		stdin: string(names), dir: testdata.Path(t, "photos"),
	}.run(t).want(t, 0)
	rows, _, err := readRows(filepath.Join(out, "x.parquet"))
	must(t, err)
	if len(rows) != refs.Shape[0] {
		t.Fatalf("%d rows, want %d", len(rows), refs.Shape[0])
	}
	for i, r := range rows {
		if cos := testdata.Cosine(r.Features, refs.Row(i)); cos < 0.99999 {
			t.Errorf("%s: cosine %.6f to the reference", r.ID, cos)
		}
	}
}

func TestOnErrorAndMaxFailures(t *testing.T) {
	needModel(t)
	dir := pictures(t, 3)
	must(t, os.WriteFile(filepath.Join(dir, "0001b.jpg"), []byte("no image"), 0o644))
	out := t.TempDir()
	run := func(args ...string) outcome {
		return call{args: append([]string{"extract", dir, "-o", "x.jsonl", "--force"}, args...), dir: out}.run(t)
	}
	rows := func() int {
		rows, err := readJSONLines(filepath.Join(out, "x.jsonl"))
		must(t, err)
		return len(rows)
	}
	run("--on-error", "skip").want(t, 0, "4 images", "1 image failed", "3 rows")
	if rows() != 3 {
		t.Errorf("%d rows with --on-error skip", rows())
	}
	run("--max-failures", "1").want(t, 0)
	run("--max-failures", "0").want(t, exitFailures, "1 image failed, more than the 0 that --max-failures allows")
	if rows() != 4 {
		t.Errorf("%d rows after too many failures: the output must be whole", rows())
	}
	must(t, os.Remove(filepath.Join(out, "x.jsonl")))
	run("--on-error", "fail").want(t, exitFailed, "0001b.jpg", "--on-error fail")
	if names := left(t, out); len(names) != 0 {
		t.Errorf("--on-error fail left %v", names)
	}
}

func TestNamesThatAreNoUTF8(t *testing.T) {
	needModel(t)
	dir := pictures(t, 1)
	name := filepath.Join(dir, left(t, dir)[0])
	must(t, os.Rename(name, filepath.Join(dir, "caf\xe9.jpg")))
	for _, ext := range extensions {
		out := filepath.Join(t.TempDir(), "x"+ext)
		command(t, "extract", dir, "-o", out).want(t, 0)
		rows, _, err := readRows(out)
		must(t, err)
		if len(rows) != 1 || filepath.Base(rows[0].ID) != "caf%E9.jpg" || rows[0].Error != nil {
			t.Errorf("%s: %+v", ext, rows)
		}
	}
}

func TestStandardOutput(t *testing.T) {
	needModel(t)
	dir := pictures(t, 3)
	o := command(t, "extract", dir, "-o", "-")
	o.want(t, 0, "3 images")
	path := filepath.Join(t.TempDir(), "x.arrows")
	must(t, os.WriteFile(path, []byte(o.stdout), 0o644))
	if rows, _, err := readRows(path); err != nil || len(rows) != 3 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestStats(t *testing.T) {
	needModel(t)
	dir, out := pictures(t, 5), t.TempDir()
	call{args: []string{"extract", dir, "-o", "x.npy", "--stats", "s.json", "--progress", "none", "--precision", "fp32"}, dir: out}.run(t).want(t, 0)
	text, err := os.ReadFile(filepath.Join(out, "s.json"))
	must(t, err)
	var r struct {
		Images          int
		Failed          *int
		ImagesPerSecond float64 `json:"images_per_second"`
		Seconds         float64
		Stages          map[string]struct {
			Busy   *float64 `json:"busy_s"`
			Images *int64
		}
		Device, Provider, Precision, Decoder string
		Versions                             any
	}
	must(t, json.Unmarshal(text, &r))
	// An earlier report is replaced.
	must(t, os.Remove(filepath.Join(out, "x.npy")))
	must(t, os.Remove(filepath.Join(out, "x.npy.ids.jsonl")))
	call{args: []string{"extract", dir, "-o", "x.npy", "--stats", "s.json"}, dir: out}.run(t).want(t, 0)
	if names := left(t, out); !slices.Equal(names, []string{"s.json", "x.npy", "x.npy.ids.jsonl"}) {
		t.Errorf("left %v", names)
	}
	if r.Images != 5 || r.Failed == nil || *r.Failed != 0 || r.ImagesPerSecond <= 0 || r.Seconds <= 0 || r.Device == "" ||
		r.Provider == "" || r.Precision != "fp32" || r.Decoder == "" || r.Versions == nil {
		t.Errorf("%s", text)
	}
	for _, name := range []string{"read", "decode", "resize", "h2d", "normalize", "session", "d2h", "write"} {
		if s, ok := r.Stages[name]; !ok || s.Busy == nil || s.Images == nil {
			t.Errorf("stage %s is missing: %s", name, text)
		}
	}
}

// TestFilesThatCannotBeRead: a row each that says why in plain words; a pipe without a writer does not hang the run.
func TestFilesThatCannotBeRead(t *testing.T) {
	needModel(t)
	dir := t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe.jpg"), 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "folder.jpg"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "list"), []byte("nope.jpg\npipe.jpg\nfolder.jpg\n/dev/zero\n"), 0o644))
	o := call{args: []string{"extract", "@list", "-o", "x.jsonl"}, dir: dir}.run(t)
	o.want(t, 0, "1 no such file: nope.jpg\n", "2 not a regular file: first pipe.jpg\n", "1 a folder, not a file: folder.jpg\n")
	rows, err := readJSONLines(filepath.Join(dir, "x.jsonl"))
	must(t, err)
	wants := []string{"no such file: nope.jpg", "not a regular file: pipe.jpg", "a folder, not a file: folder.jpg", "not a regular file: /dev/zero"}
	if len(rows) != len(wants) {
		t.Fatalf("%d rows, want %d", len(rows), len(wants))
	}
	for i, want := range wants {
		if rows[i].Error == nil || *rows[i].Error != want {
			t.Errorf("row %d: %+v, want the error %q", i, rows[i], want)
		}
	}
}

func TestProgressJSON(t *testing.T) {
	needModel(t)
	dir := pictures(t, 30)
	o := command(t, "extract", "@"+list(t, dir, 200), "-o", "x.npy", "--progress", "json")
	o.want(t, 0)
	for line := range strings.Lines(o.stderr) {
		var s snapshot
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.Images > 200 || s.Total != 0 && s.Total != 200 {
			t.Errorf("%s: %v", line, err)
		}
	}
	if f := lastLine(t, o.stderr); f.Status != "done" || f.Images != 200 || f.Total != 200 || f.Failed != 0 || f.Output != "x.npy" || f.Seconds <= 0 {
		t.Errorf("the last line is %+v", f)
	}
	o = command(t, "extract", dir, "-o", "x.npy", "--progress", "json", "--model", "resnet5")
	if f := lastLine(t, o.stderr); f.Status != "failed" || !strings.Contains(f.Error, "resnet5") || o.code != exitFailed {
		t.Errorf("the last line of a run that failed is %+v", f)
	}
}

func TestPrecisionThatIsNotThere(t *testing.T) {
	needModel(t)
	dir := pictures(t, 1)
	command(t, "extract", dir, "-o", "x.npy", "--precision", "fp16").want(t, exitUsage, "fp16")
	command(t, "extract", dir, "-o", "x.npy", "--precision", "int8").want(t, exitUsage, "int8")
	command(t, "extract", dir, "-o", "x.npy", "--device", "cuda:9").want(t, exitFailed, "cuda:9")
}

func TestMissingLibraries(t *testing.T) {
	needModel(t)
	dir, home := pictures(t, 1), t.TempDir()
	must(t, os.Symlink(filepath.Join(os.Getenv("IMGVEC_HOME"), "models"), filepath.Join(home, "models")))
	o := call{args: []string{"extract", dir, "-o", "x.npy"}, env: []string{"IMGVEC_HOME=" + home, "IMGVEC_SYSTEM_LIBRARIES=off"}}.run(t)
	o.want(t, exitFailed, "libonnxruntime", home, "imgvec setup")
}

func TestPreprocessCommand(t *testing.T) {
	needModel(t)
	dir, out := pictures(t, 5), filepath.Join(t.TempDir(), "x.npy")
	command(t, "preprocess", dir, "-o", out).want(t, 0, "uint8 [5, 224, 224, 3]")
	data, err := os.ReadFile(out)
	must(t, err)
	if len(data) != 128+5*224*224*3 || !strings.Contains(string(data[:128]), "'descr': '|u1'") {
		t.Errorf("%d bytes, header %q", len(data), data[:128])
	}
	command(t, "preprocess", "missing.jpg", "-o", out, "--force").want(t, exitFailed, "missing.jpg")
	if again, _ := os.ReadFile(out); len(again) != len(data) {
		t.Error("a run that failed has replaced the output")
	}
}

// TestStandardOutputFlows: a pipe that pauses holds nothing up: the schema is there before the first path, and the rows
// of the paths so far before the next one.
func TestStandardOutputFlows(t *testing.T) {
	needModel(t)
	dir := pictures(t, 2)
	cmd := call{args: []string{"extract", "-", "-o", "-", "--model", tinyModel(t), "--progress", "none"}}.start(t)
	cmd.Stdin = nil
	paths, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var r *ipc.Reader
	for i, name := range left(t, dir) {
		_, err := fmt.Fprintln(paths, filepath.Join(dir, name))
		must(t, err)
		if r == nil {
			r, err = ipc.NewReader(stdout)
			must(t, err)
		}
		if !r.Next() || fromRecord(r.RecordBatch())[0].ID != filepath.Join(dir, name) {
			t.Fatalf("row %d did not come: %v", i, r.Err())
		}
	}
	must(t, paths.Close())
	if r.Next() || r.Err() != nil {
		t.Errorf("after the last row: %v", r.Err())
	}
	must(t, cmd.Wait())
}

// lastLine is the last one of --progress json.
func lastLine(t *testing.T, stderr string) (f final) {
	t.Helper()
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "{") {
			f = final{}
			must(t, json.Unmarshal([]byte(line), &f))
		}
	}
	return f
}
