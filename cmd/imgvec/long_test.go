package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manyPictures is a folder of n pictures under names of their own, of which every 23rd can't be decoded.
func manyPictures(t *testing.T, n int) string {
	t.Helper()
	from, dir := pictures(t, 30), t.TempDir()
	names := left(t, from)
	for i := range n {
		name := names[i%len(names)]
		path := filepath.Join(dir, fmt.Sprintf("%06d%s", i, filepath.Ext(name)))
		if i%23 == 22 {
			must(t, os.WriteFile(path, []byte("no image"), 0o644))
			continue
		}
		must(t, os.Link(filepath.Join(from, name), path))
	}
	return dir
}

// readDataset reads all rows of a file, or of the shards of a folder in the order of their names. Whatever is in the folder
// beside them is an error: readers would stumble over it.
func readDataset(path string) ([]row, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		rows, _, err := readRows(path)
		return rows, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var all []row
	for _, e := range entries {
		switch {
		case e.Name() == "_SUCCESS", strings.HasSuffix(e.Name(), ".ids.jsonl"):
			continue
		case !strings.HasPrefix(e.Name(), "part-"):
			return nil, fmt.Errorf("%s is in the folder", e.Name())
		}
		rows, _, err := readRows(filepath.Join(path, e.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// sameRows wants two data sets to be the same to the bit.
func sameRows(t *testing.T, got, want []row) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("row %d is %s (error %v), want %s (error %v), or their features differ", i, got[i].ID, got[i].Error, want[i].ID, want[i].Error)
		}
	}
}

// complete tells whether an output is whole, as other programs see it.
func complete(path string, shards bool) bool {
	if shards {
		path = filepath.Join(path, "_SUCCESS")
	}
	_, err := os.Stat(path)
	return err == nil
}

// longRun is one kind of output that runs are interrupted of.
type longRun struct {
	name, out string
	args      []string
	shards    bool
}

func longRuns() []longRun {
	runs := []longRun{
		{name: "shards", out: "out", args: []string{"--shard-rows", "60"}, shards: true},
		{name: "shards skip", out: "out", args: []string{"--shard-rows", "60", "--on-error", "skip"}, shards: true},
	}
	for _, ext := range extensions {
		runs = append(runs, longRun{name: ext[1:], out: "x" + ext, args: []string{"--resume", "--checkpoint", "100ms"}})
	}
	return runs
}

// TestInterruptedAndResumed: wherever and however often a run is killed or interrupted, the run that comes to its end has
// the rows of one that was never stopped, its counts too, and nothing is left beside them. IMGVEC_LONG=1 stops each kind of
// output 100 times, shards 200.
func TestInterruptedAndResumed(t *testing.T) {
	needModel(t)
	images, stops := 400, 4
	if os.Getenv("IMGVEC_LONG") != "" {
		images, stops = 400, 100
	}
	input, tiny := manyPictures(t, images), tinyModel(t)
	for _, kind := range longRuns() {
		t.Run(kind.name, func(t *testing.T) {
			dir := t.TempDir()
			args := append([]string{"extract", input, "--model", tiny, "--deterministic", "--progress", "none", "--stats", "s.json"}, kind.args...)
			start := time.Now()
			call{args: append(args, "-o", filepath.Join(dir, "want", kind.out)), dir: folder(t, dir, "want")}.run(t).want(t, 0)
			whole := time.Since(start)
			want, err := readDataset(filepath.Join(dir, "want", kind.out))
			must(t, err)
			again := append(args, "-o", kind.out, "--resume")
			kinds := []syscall.Signal{syscall.SIGKILL}
			left := stops
			if kind.shards && stops > 4 {
				left *= 2
			}
			finished := 0
			for left > 0 {
				finished++
				work := folder(t, dir, fmt.Sprintf("got%d", left))
				left = stopUntilDone(t, call{args: again, dir: work}, whole, left, kinds)
				checkLongRun(t, work, kind, want, images)
				must(t, os.RemoveAll(work))
				kinds = []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM}
			}
			t.Logf("%d data sets were finished between the stops; an uninterrupted run takes %v", finished, whole.Round(time.Millisecond))
		})
	}
}

func folder(t *testing.T, path ...string) string {
	t.Helper()
	dir := filepath.Join(path...)
	must(t, os.MkdirAll(dir, 0o755))
	return dir
}

// stopUntilDone starts the command again and again and stops it at random moments, until it comes to its end. It returns
// how many stops are left.
func stopUntilDone(t *testing.T, c call, whole time.Duration, left int, signals []syscall.Signal) int {
	t.Helper()
	for ; left > 0; left-- {
		cmd := c.start(t)
		stderr := new(bytes.Buffer)
		cmd.Stderr = stderr
		must(t, cmd.Start())
		ended := make(chan struct{})
		go func() {
			_, _ = cmd.Process.Wait()
			close(ended)
		}()
		select {
		case <-ended:
			if !complete(filepath.Join(c.dir, c.args[len(c.args)-2]), false) {
				t.Fatalf("it ended before it was done: %s", stderr)
			}
			return left
		case <-time.After(time.Duration(rand.Float64() * float64(whole))):
			_ = cmd.Process.Signal(signals[left%len(signals)])
			<-ended
		}
	}
	// One that was killed after it was done has nothing to do any more; arrays and lines have no place to say of what run they are.
	if o := c.run(t); o.code != 0 && !strings.Contains(o.stderr, "is complete, and does not say") {
		t.Fatalf("exit status %d: %s", o.code, o.stderr)
	}
	return 0
}

// checkLongRun wants the data set of an uninterrupted run, whole counts, and nothing else.
func checkLongRun(t *testing.T, dir string, kind longRun, want []row, images int) {
	t.Helper()
	if !complete(filepath.Join(dir, kind.out), kind.shards) {
		t.Fatalf("the output is not complete: %v", left(t, dir))
	}
	got, err := readDataset(filepath.Join(dir, kind.out))
	must(t, err)
	sameRows(t, got, want)
	for _, name := range left(t, dir) {
		if name != kind.out && name != kind.out+".ids.jsonl" && name != "s.json" {
			t.Errorf("%s is left", name)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "s.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return // the last kill came after the output was whole
	}
	must(t, err)
	var r runReport
	must(t, json.Unmarshal(text, &r))
	failed := int64(images / 23)
	if r.Images != int64(images) || r.Failed != failed || r.Rows != int64(len(want)) || r.Before > r.Images {
		t.Errorf("the report counts %d images, %d failed, %d rows, %d before; want %d, %d, %d", r.Images, r.Failed, r.Rows, r.Before, images, failed, len(want))
	}
	if len(r.Failures) != 1 || r.Failures[0].Count != failed || len(r.Failures[0].Examples) != mostExamples || r.Failures[0].ID != r.Failures[0].Examples[0] {
		t.Errorf("the report has the failures %+v", r.Failures)
	}
}

// begun is a run that was interrupted after some of its parts.
func begun(t *testing.T, args ...string) (dir string, rerun func(args ...string) outcome) {
	t.Helper()
	dir = t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "in"), 0o755))
	must(t, os.CopyFS(filepath.Join(dir, "in"), os.DirFS(manyPictures(t, 300))))
	run := func(args ...string) call {
		return call{args: append([]string{"extract", "in", "--model", tinyModel(t), "--progress", "none"}, args...), dir: dir}
	}
	manifest := filepath.Join(dir, args[1]+".parts", "manifest.jsonl")
	cmd := run(args...).start(t)
	must(t, cmd.Start())
	for range 3000 {
		if data, _ := os.ReadFile(manifest); bytes.Count(data, []byte("\n")) >= 3 || complete(filepath.Join(dir, args[1], "_SUCCESS"), false) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	signalled(t, cmd, syscall.SIGKILL)
	if _, err := os.Stat(manifest); err != nil {
		t.Fatalf("the run was too fast, or did not begin: %v", err)
	}
	// The model of another call is another folder with the same file.
	return dir, func(args ...string) outcome { return run(args...).run(t) }
}

// TestResumeRefusesAnotherRun: what differs is named, with what can be done; nothing is touched.
func TestResumeRefusesAnotherRun(t *testing.T) {
	needModel(t)
	dir, run := begun(t, "-o", "out", "--shard-rows", "20")
	kept := left(t, filepath.Join(dir, "out"))
	with := func(args ...string) outcome {
		return run(append([]string{"-o", "out", "--shard-rows", "20", "--resume"}, args...)...)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--normalize"}, "--normalize was false and is true now"},
		{[]string{"--features-dtype", "float16"}, "--features-dtype was float32 and is float16 now"},
		{[]string{"--on-error", "skip"}, "--on-error was keep and is skip now"},
		{[]string{"--shard-rows", "21"}, "--shard-rows was 20 and is 21 now"},
		{[]string{"--shard-format", "npy"}, "the format was parquet and is npy now"},
		{[]string{"--precision", "fp32"}, "the precision was"},
		{[]string{"--model", "efficientnet-lite0"}, "the model was tiny"},
		{[]string{"in/000000.jpg"}, "its inputs were in and are in in/000000.jpg now"},
	} {
		o := with(c.args...)
		if c.args[0] == "--precision" && o.code == 0 {
			return // this machine runs it in fp32 anyway
		}
		o.want(t, exitUsage, c.want, "--force")
	}
	must(t, os.WriteFile(filepath.Join(dir, "in", "000000a.jpg"), nil, 0o644))
	with().want(t, exitUsage, "files have come, gone or changed in in")
	run("-o", "out", "--shard-rows", "20").want(t, exitUsage, "go on with --resume", "--force")
	run("-o", "out", "--shard-rows", "20", "--resume", "--force").want(t, exitUsage, "give one of them")
	if now := left(t, filepath.Join(dir, "out")); !slices.Equal(now, kept) {
		t.Errorf("the folder had %v and has %v", kept, now)
	}
	run("-o", "out", "--shard-rows", "100", "--force").want(t, 0, "301 rows in 4 files")
	if now := left(t, dir); !slices.Equal(now, []string{"in", "out"}) {
		t.Errorf("left %v", now)
	}
}

// TestResumeMendsTornParts: a torn line of the manifest, a torn or missing part: done again, with a word about it.
func TestResumeMendsTornParts(t *testing.T) {
	needModel(t)
	for name, tear := range map[string]func(dir string) string{
		"line": func(dir string) string {
			path := filepath.Join(dir, "out.parts", "manifest.jsonl")
			data, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, data[:len(data)-10], 0o644))
			return ""
		},
		"part": func(dir string) string {
			data, err := os.ReadFile(filepath.Join(dir, "out", "part-00001.parquet"))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, "out", "part-00001.parquet"), data[:len(data)/2], 0o644))
			return "part-00001.parquet is missing or is not as it was written"
		},
		"no part": func(dir string) string {
			must(t, os.Remove(filepath.Join(dir, "out", "part-00000.parquet")))
			return "part-00000.parquet is missing or is not as it was written"
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, run := begun(t, "-o", "out", "--shard-rows", "20", "--deterministic")
			want := tear(dir)
			run("-o", "out", "--shard-rows", "20", "--deterministic", "--resume").want(t, 0, want)
			run("-o", "want", "--shard-rows", "20", "--deterministic").want(t, 0)
			got, err := readDataset(filepath.Join(dir, "out"))
			must(t, err)
			wanted, err := readDataset(filepath.Join(dir, "want"))
			must(t, err)
			sameRows(t, got, wanted)
		})
	}
}

// TestTwoRunsOfOneOutput: the second is refused while the first goes on.
func TestTwoRunsOfOneOutput(t *testing.T) {
	needModel(t)
	dir := t.TempDir()
	args := []string{"extract", "@" + list(t, pictures(t, 30), 1_000_000), "--model", tinyModel(t), "--progress", "none"}
	for _, kind := range [][]string{{"-o", "out", "--shard-rows", "20"}, {"-o", "x.npy", "--resume"}} {
		c := call{args: append(args, kind...), dir: dir}
		cmd := c.start(t)
		must(t, cmd.Start())
		for range 3000 {
			if _, err := os.Stat(filepath.Join(dir, kind[1]+".parts", "manifest.jsonl")); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		for _, more := range []string{"--resume", "--force"} {
			o := call{args: append(c.args, more), dir: dir}.run(t)
			o.want(t, exitUsage, "another imgvec is writing it now")
		}
		signalled(t, cmd, syscall.SIGKILL)
	}
}

// TestShardsSpareOthers: a folder with what is not ours is left alone, with --force too.
func TestShardsSpareOthers(t *testing.T) {
	needModel(t)
	input := pictures(t, 5)
	run := func(dir string, args ...string) outcome {
		return call{args: append([]string{"extract", input, "-o", "out", "--shard-rows", "2", "--model", tinyModel(t)}, args...), dir: dir}.run(t)
	}
	for _, name := range []string{"notes.txt", "part-00000.parquet", "part-00001.npy", ".hidden", "part-0.parquet"} {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "out", name), []byte("mine"), 0o644))
		for _, more := range []string{"--force", "--resume", "--read-retries=1"} {
			run(dir, more).want(t, exitUsage, "did not write", name)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, "out", name)); string(data) != "mine" || len(left(t, filepath.Join(dir, "out"))) != 1 || len(left(t, dir)) != 1 {
			t.Errorf("%s is %q; the folder has %v", name, data, left(t, filepath.Join(dir, "out")))
		}
	}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
	run(dir, "--stats", "out/s.json").want(t, exitUsage, "is in the folder that the shards are written to")
	run(dir).want(t, 0, "5 rows in 3 files")
	run(dir).want(t, exitUsage, "exists: use --force")
	run(dir, "--resume").want(t, 0, "nothing is left to do")
	run(dir, "--resume", "--normalize").want(t, exitUsage, "is complete, and does not say that the same options")
	run(dir, "--resume", "in.jpg").want(t, exitUsage, "is complete, and does not say that the same options")
	run(dir, "--force", "--shard-rows", "3", "--shard-format", "jsonl").want(t, 0, "5 rows in 2 files")
	if names := left(t, filepath.Join(dir, "out")); !slices.Equal(names, []string{"_SUCCESS", "part-00000.jsonl", "part-00001.jsonl"}) {
		t.Errorf("the folder has %v", names)
	}
}

// TestLongFlagsThatDoNotFit are told before anything is loaded.
func TestLongFlagsThatDoNotFit(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"p -o x.parquet --shard-format npy", "give --shard-rows too"},
		{"p -o - --shard-rows 5", "name the folder, not -"},
		{"p -o - --resume", "can't be resumed"},
		{"- -o x.parquet --resume", "standard input can't be: write the list to a file and give @FILE"},
		{"p -o x --resume", "unknown format"},
		{"p -o x --shard-rows 0", "no whole number"},
		{"p -o x --shard-rows 5 --shard-format csv", `format "csv" of shards is unknown`},
		{"p -o p/a.jpg --shard-rows 5", "is a file: shards go into a folder"},
		{"p -o p --shard-rows 5", "did not write (a.jpg)"},
		{"p -o no/x --shard-rows 5", "make it first"},
		{"p -o x.npy --checkpoint 5s", "--checkpoint is for one file that is written with --resume"},
		{"p -o x.npy --read-retries -1", "no whole number"},
		{"--retry-failed x.npy", "no such output"},
		{"--retry-failed p/a.jpg --shard-rows 5", "leave --resume and --shard-rows out"},
	} {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "p"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "p", "a.jpg"), nil, 0o644))
		args := append([]string{"extract"}, strings.Fields(c.args)...)
		call{args: args, dir: dir, env: []string{"IMGVEC_HOME=" + t.TempDir()}}.run(t).want(t, exitUsage, c.want, "--help")
		if names := left(t, dir); len(names) != 1 {
			t.Errorf("%s: left %v", c.args, names)
		}
	}
}

// TestDiskFullAndResumed: a disk that fills up in the middle costs what was not finished; with room again the run goes on.
func TestDiskFullAndResumed(t *testing.T) {
	needModel(t)
	input, tiny := manyPictures(t, 200), tinyModel(t)
	for _, kind := range []longRun{
		{out: "out", args: []string{"--shard-rows", "40"}, shards: true},
		{out: "x.arrow", args: []string{"--checkpoint", "50ms"}},
	} {
		dir := t.TempDir()
		args := append([]string{"extract", input, "--model", tiny, "--deterministic", "--resume", "--progress", "none", "-o", kind.out}, kind.args...)
		call{args: args, dir: folder(t, dir, "want")}.run(t).want(t, 0)
		want, err := readDataset(filepath.Join(dir, "want", kind.out))
		must(t, err)
		work := folder(t, dir, "got")
		if err := syscall.Mount("none", work, "tmpfs", 0, "size=600k"); err != nil {
			t.Logf("no small file system: %v", err)
			// A limit on the size of files stands for it: the one file that is joined in the end is over it.
			limit := map[bool]string{true: "ulimit -f 100", false: "ulimit -f 700"}[kind.shards]
			shell(t, work, limit+"; exec "+binary+" "+strings.Join(args, " ")).want(t, exitFailed, "files may not grow")
		} else {
			call{args: args, dir: work}.run(t).want(t, exitFailed, "no space left", "images are kept in", "run the same command again to go on")
			if complete(filepath.Join(work, kind.out), kind.shards) {
				t.Error("the output is there")
			}
			must(t, syscall.Mount("none", work, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
			defer syscall.Unmount(work, 0) //nolint:errcheck // the test has said what matters
		}
		call{args: args, dir: work}.run(t).want(t, 0)
		got, err := readDataset(filepath.Join(work, kind.out))
		must(t, err)
		sameRows(t, got, want)
		if names := left(t, work); len(names) != 1 {
			t.Errorf("left %v", names)
		}
	}
}
