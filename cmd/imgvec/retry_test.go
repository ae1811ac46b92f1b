package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
)

// mendable is a folder of pictures of which two can be mended, and one can't.
func mendable(t *testing.T) (dir string, mend func()) {
	t.Helper()
	dir = t.TempDir()
	in := filepath.Join(dir, "in")
	must(t, os.CopyFS(in, os.DirFS(pictures(t, 10))))
	for _, name := range []string{"0001b.jpg", "0005b.jpg", "0008b.jpg"} {
		must(t, os.WriteFile(filepath.Join(in, name), []byte("broken"), 0o644))
	}
	good, err := os.ReadFile(filepath.Join(in, left(t, in)[0]))
	must(t, err)
	return dir, func() {
		must(t, os.WriteFile(filepath.Join(in, "0001b.jpg"), good, 0o644))
		must(t, os.WriteFile(filepath.Join(in, "0005b.jpg"), good, 0o644))
	}
}

// TestRetryFailed: what has failed and goes well now gets its features, in place or in another output, with or without
// the inputs; all other rows are as they were. Of a folder only the files with failed rows are written.
func TestRetryFailed(t *testing.T) {
	needModel(t)
	tiny := tinyModel(t)
	outputs := []string{"sh"}
	for _, ext := range extensions {
		outputs = append(outputs, "x"+ext)
	}
	dir, mend := mendable(t)
	run := func(args ...string) outcome {
		return call{args: append(append([]string{"extract"}, args...), "--model", tiny, "--deterministic", "--progress", "none"), dir: dir}.run(t)
	}
	for _, out := range outputs {
		args := []string{"in", "-o", out, "--features-dtype", "float16"}
		if out == "sh" {
			args = append(args, "--shard-rows", "3")
		}
		if out == "x.jsonl" || out == "x.parquet" {
			args = []string{"in", "-o", out}
		}
		run(args...).want(t, 0, "3 images failed")
	}
	untouched, err := os.Stat(filepath.Join(dir, "sh", "part-00001.parquet"))
	must(t, err)
	mend()
	run("in", "-o", "want.parquet").want(t, 0, "1 image failed")
	want, _, err := readRows(filepath.Join(dir, "want.parquet"))
	must(t, err)
	run("--retry-failed", "x.parquet", "-o", "y.jsonl").want(t, 0, "y.jsonl: 2 run again have features now, 1 not; 10 rows were carried over")
	for _, out := range append(outputs, "y.jsonl") {
		if out != "y.jsonl" {
			args := []string{"--retry-failed", out}
			if out == "x.arrow" {
				args = append(args, "in")
			}
			run(args...).want(t, 0, "3 images", "2 run again have features now, 1 not")
		}
		if out != "x.parquet" && !strings.HasSuffix(out, ".jsonl") {
			sameOutcomes(t, out, idsAndErrors(t, filepath.Join(dir, out)), want)
			continue // halves: the other tests compare features
		}
		got, err := readDataset(filepath.Join(dir, out))
		must(t, err)
		sameRows(t, got, want)
	}
	if now, err := os.Stat(filepath.Join(dir, "sh", "part-00001.parquet")); err != nil || !os.SameFile(now, untouched) {
		t.Errorf("a file without failed rows was written: %v", err)
	}
	for _, name := range left(t, dir) {
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".parts") {
			t.Errorf("%s is left", name)
		}
	}
}

// idsAndErrors reads the rows of an output of halves by its own command: similar knows the format too.
func idsAndErrors(t *testing.T, path string) []row {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "x.jsonl")
	command(t, "extract", "--retry-failed", path, "-o", copied, "--model", tinyModel(t), "--deterministic").want(t, 0)
	rows, err := readJSONLines(copied)
	must(t, err)
	return rows
}

func sameOutcomes(t *testing.T, name string, got, want []row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", name, len(got), len(want))
	}
	for i := range want {
		if got[i].ID != want[i].ID || (got[i].Error == nil) != (want[i].Error == nil) || len(got[i].Features) != len(want[i].Features) {
			t.Errorf("%s: row %d is %s (error %v), want %s (error %v)", name, i, got[i].ID, got[i].Error, want[i].ID, want[i].Error)
		}
	}
}

// TestRetryFailedRefuses another model, other options and other inputs, and leaves the output as it is.
func TestRetryFailedRefuses(t *testing.T) {
	needModel(t)
	tiny := tinyModel(t)
	dir, mend := mendable(t)
	run := func(args ...string) outcome {
		return call{args: append(args, "--progress", "none"), dir: dir}.run(t)
	}
	run("extract", "in", "-o", "x.parquet", "--model", tiny).want(t, 0)
	run("extract", "in", "-o", "x.npy", "--model", tiny).want(t, 0)
	before, err := os.ReadFile(filepath.Join(dir, "x.parquet"))
	must(t, err)
	mend()
	for _, c := range []struct {
		args string
		want string
	}{
		{"--retry-failed x.parquet", "the model was tiny"},
		{"--retry-failed x.npy", "its rows have 2352 features, those of efficientnet-lite0 1280"},
		{"--retry-failed x.parquet --normalize --model " + tiny, "--normalize was false and is true now"},
		{"--retry-failed x.parquet --resume --model " + tiny, "leave --resume and --shard-rows out"},
		{"--retry-failed x.parquet -o x.parquet --model " + tiny, "leave -o out"},
		{"--retry-failed nothing.parquet", "no such output"},
		{"in/0000.jpg in --retry-failed x.parquet --model " + tiny, `the inputs have "in/0000.jpg" where "x.parquet" has`},
	} {
		args := strings.Fields(c.args)
		if args[0] == "in/0000.jpg" {
			args[0] = filepath.Join("in", left(t, filepath.Join(dir, "in"))[0])
			c.want = fmt.Sprintf(`the inputs have "%s" where "x.parquet" has`, args[0])
		}
		run(append([]string{"extract"}, args...)...).want(t, exitUsage, c.want)
		if now, err := os.ReadFile(filepath.Join(dir, "x.parquet")); err != nil || !bytes.Equal(now, before) {
			t.Fatalf("%s: the output is another: %v", c.args, err)
		}
	}
	run("extract", "--retry-failed", "x.parquet", "--model", tiny, "--on-error", "fail").want(t, exitFailed, "0008b.jpg")
	if now, err := os.ReadFile(filepath.Join(dir, "x.parquet")); err != nil || !bytes.Equal(now, before) {
		t.Fatalf("a run that failed has changed the output: %v", err)
	}
	run("extract", "--retry-failed", "x.parquet", "--model", tiny, "--on-error", "skip", "--stats", "s.json").want(t, 0)
	run("extract", "--retry-failed", "x.parquet", "--model", tiny).want(t, 0, "nothing to do: none of the 12 rows of x.parquet has failed")
}

// tarOf writes an archive of a folder's pictures; what is broken breaks off in the middle.
func tarOf(t *testing.T, path, from string, broken bool) {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	half := 0
	for i, name := range left(t, from) {
		data, err := os.ReadFile(filepath.Join(from, name))
		must(t, err)
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}))
		_, err = w.Write(data)
		must(t, err)
		if i == 4 {
			must(t, w.Flush())
			half = buf.Len() + 700 // in the middle of the next member
		}
	}
	must(t, w.Close())
	data := buf.Bytes()
	if broken {
		data = data[:half]
	}
	must(t, os.WriteFile(path, data, 0o644))
}

// TestBrokenShardInTheMiddle: a run over archives of which one is damaged comes to its end with a row that says so. When
// the archive is mended, --retry-failed with the inputs puts its images into their place.
func TestBrokenShardInTheMiddle(t *testing.T) {
	needModel(t)
	tiny, dir := tinyModel(t), t.TempDir()
	photos := pictures(t, 12)
	for _, name := range []string{"a.tar", "b.tar", "c.tar"} {
		tarOf(t, filepath.Join(dir, name), photos, name == "b.tar")
	}
	run := func(args ...string) outcome {
		return call{args: append(args, "--model", tiny, "--progress", "none", "--deterministic"), dir: dir}.run(t)
	}
	inputs := []string{"extract", "a.tar", "b.tar", "c.tar"}
	for _, out := range [][]string{{"-o", "x.parquet"}, {"-o", "sh", "--shard-rows", "7"}} {
		run(append(inputs, out...)...).want(t, 0, "1 image failed", "b.tar")
	}
	run("extract", "--retry-failed", "x.parquet").want(t, 0, "0 run again have features now, 1 not")
	tarOf(t, filepath.Join(dir, "b.tar"), photos, false)
	run(append(inputs, "-o", "want.parquet")...).want(t, 0)
	want, _, err := readRows(filepath.Join(dir, "want.parquet"))
	must(t, err)
	for _, out := range []string{"x.parquet", "sh"} {
		run(append(inputs, "--retry-failed", out)...).want(t, 0, "have features now, 0 not")
		got, err := readDataset(filepath.Join(dir, out))
		must(t, err)
		sameRows(t, got, want)
	}
}

// TestResumeAfterABrokenShard: an archive that was changed since is told when a run is to go on.
func TestResumeAfterABrokenShard(t *testing.T) {
	needModel(t)
	tiny, dir := tinyModel(t), t.TempDir()
	photos := pictures(t, 30)
	names := []string{"a.tar", "b.tar", "c.tar"}
	for _, name := range names {
		tarOf(t, filepath.Join(dir, name), photos, name == "b.tar")
	}
	c := call{args: append(append([]string{"extract"}, names...), "-o", "sh", "--shard-rows", "5", "--model", tiny, "--progress", "none"), dir: dir}
	cmd := c.start(t)
	must(t, cmd.Start())
	for range 3000 {
		if data, _ := os.ReadFile(filepath.Join(dir, "sh.parts", "manifest.jsonl")); bytes.Count(data, []byte("\n")) >= 2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	signalled(t, cmd, syscall.SIGKILL)
	if complete(filepath.Join(dir, "sh"), true) {
		t.Skip("the run was too fast to be stopped")
	}
	tarOf(t, filepath.Join(dir, "b.tar"), photos, false)
	c.args = append(c.args, "--resume")
	c.run(t).want(t, exitUsage, "files have come, gone or changed in a.tar b.tar c.tar", "--force")
}

// TestReasonsForFailure: the commonest first, ten of them in the summary, all in the report, examples of each.
func TestReasonsForFailure(t *testing.T) {
	needModel(t)
	dir := t.TempDir()
	var list strings.Builder
	for i := range 8 {
		fmt.Fprintf(&list, "missing%d.jpg\n", i)
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("text%d.jpg", i)), fmt.Appendf(nil, "no image, number %d", i), 0o644))
		fmt.Fprintf(&list, "text%d.jpg\n", i)
	}
	must(t, os.WriteFile(filepath.Join(dir, "empty.jpg"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "cut.jpg"), []byte("\xff\xd8\xff"), 0o644))
	list.WriteString("text0.jpg\nempty.jpg\ncut.jpg\n")
	must(t, os.WriteFile(filepath.Join(dir, "list"), []byte(list.String()), 0o644))
	o := call{args: []string{"extract", "@list", "-o", "x.jsonl", "--model", tinyModel(t), "--stats", "s.json"}, dir: dir}.run(t)
	o.want(t, 0, "19 images failed", "9 not decodable: first text0.jpg", "8 no such file: first missing0.jpg", "1 not decodable: empty.jpg", "1 not decodable: cut.jpg")
	text, err := os.ReadFile(filepath.Join(dir, "s.json"))
	must(t, err)
	var r runReport
	must(t, json.Unmarshal(text, &r))
	if len(r.Failures) != 4 || r.Failures[0].Count != 9 || !slices.Equal(r.Failures[1].Examples, []string{"missing0.jpg", "missing1.jpg", "missing2.jpg", "missing3.jpg", "missing4.jpg"}) {
		t.Errorf("%s", text)
	}
	tally := newTally()
	for i := range 1000 {
		tally.add(failedResult(fmt.Sprintf("reason %s", strings.Repeat("x", i%400))))
	}
	if n := len(tally.reasons()); n > mostReasons+1 {
		t.Errorf("%d reasons are kept", n)
	}
	again := newTally()
	first, err := json.Marshal(tally.part())
	must(t, err)
	for range 3 {
		tally.add(failedResult("reason x"))
	}
	second, err := json.Marshal(tally.part())
	must(t, err)
	must(t, again.resume([]json.RawMessage{first, second}))
	if a, b := fmt.Sprint(again.reasons()), fmt.Sprint(tally.reasons()); a != b || again.before != 1003 || again.failed.Load() != 1003 {
		t.Errorf("after a resume:\n%s\nbefore:\n%s", a, b)
	}
}

func failedResult(text string) *imgvec.Result {
	return &imgvec.Result{ID: "x.jpg", Err: &imgvec.ImageError{ID: "x.jpg", Err: errors.New(text)}}
}
