package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/imgvec/imgvec/model"
)

// weightsServer hands out one ONNX file, slowly if asked to.
type weightsServer struct {
	*httptest.Server
	data  []byte
	pause time.Duration // after each 64 KiB
	sent  atomic.Int64
	mu    sync.Mutex
	asked []string // Range of each request
}

func newWeightsServer(t *testing.T) *weightsServer {
	t.Helper()
	s := &weightsServer{data: append(tinyGraph(), text(6, strings.Repeat("a doc string. ", 150_000))...)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Header.Get("Range"))
		s.mu.Unlock()
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(&slowWriter{w, s}, r, "", time.Time{}, bytes.NewReader(s.data))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *weightsServer) sum() string {
	sum := sha256.Sum256(s.data)
	return hex.EncodeToString(sum[:])
}

// pull is the command line that installs it as "mine".
func (s *weightsServer) pull() []string {
	return []string{"model", "pull", s.URL + "/their.onnx", "--sha256", s.sum(), "--preset", "torchvision-v1", "--name", "mine"}
}

// slowWriter writes piece by piece.
type slowWriter struct {
	http.ResponseWriter
	s *weightsServer
}

func (w *slowWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		piece := p[:min(len(p), 64<<10)]
		_, err = w.ResponseWriter.Write(piece)
		n, p = n+len(piece), p[len(piece):]
		w.s.sent.Add(int64(len(piece)))
		if w.s.pause > 0 {
			w.ResponseWriter.(http.Flusher).Flush()
			time.Sleep(w.s.pause)
		}
	}
	return n, err
}

// ownHome is a home folder without models, with the libraries of the usual one.
func ownHome(t *testing.T) string {
	t.Helper()
	needModel(t)
	home := t.TempDir()
	must(t, os.Symlink(filepath.Join(os.Getenv("IMGVEC_HOME"), "lib"), filepath.Join(home, "lib")))
	must(t, os.Symlink(filepath.Join(os.Getenv("IMGVEC_HOME"), "manifest.json"), filepath.Join(home, "manifest.json")))
	t.Setenv("IMGVEC_HOME", home)
	return home
}

// usable tells whether the model is installed; a damaged one fails the test.
func usable(t *testing.T, home, name string) bool {
	t.Helper()
	_, err := model.Open(name, model.OpenOptions{Home: home})
	if err != nil && !strings.Contains(err.Error(), "no model of this name") {
		t.Errorf("half installed: %v", err)
	}
	return err == nil
}

func TestPullIsGoneOnWithAfterAKill(t *testing.T) {
	home := ownHome(t)
	s := newWeightsServer(t)
	s.pause = 50 * time.Millisecond
	cmd := call{args: s.pull()}.start(t)
	must(t, cmd.Start())
	for s.sent.Load() < 512<<10 {
		time.Sleep(5 * time.Millisecond)
	}
	signalled(t, cmd, syscall.SIGKILL)
	if usable(t, home, "mine") {
		t.Error("half a download was installed")
	}
	s.pause = 0
	command(t, s.pull()...).want(t, 0, "mine is installed in")
	if !usable(t, home, "mine") {
		t.Error("it is not installed")
	}
	if last := s.asked[len(s.asked)-1]; len(s.asked) != 2 || !strings.HasPrefix(last, "bytes=") {
		t.Errorf("asked for %q, expected the rest at the second time", s.asked)
	}
}

// Killed at any moment, a pull leaves a model that can be used, or none.
func TestPullKilledAtAnyMoment(t *testing.T) {
	home := ownHome(t)
	s := newWeightsServer(t)
	s.pause = 2 * time.Millisecond
	whole := timeToInstall(t, home, s) * 5 / 4 // most kills come before it is there, some after
	kills, installed := 10, 0
	if os.Getenv("IMGVEC_LONG") != "" {
		kills = 200
	}
	for range kills {
		_, err := model.Remove("mine", model.OpenOptions{Home: home})
		if err != nil && !strings.Contains(err.Error(), "not installed") {
			t.Fatal(err)
		}
		must(t, os.RemoveAll(filepath.Join(home, "downloads")))
		cmd := call{args: s.pull()}.start(t)
		must(t, cmd.Start())
		time.Sleep(time.Duration(rand.Int64N(int64(whole))))
		signalled(t, cmd, syscall.SIGKILL)
		if usable(t, home, "mine") {
			installed++
		}
	}
	t.Logf("installed before the kill: %d of %d", installed, kills)
	command(t, s.pull()...).want(t, 0)
	command(t, "model", "verify", "mine", "--files-only").want(t, 0, "as they were installed")
	for _, name := range left(t, filepath.Join(home, "models", "mine")) {
		if strings.HasPrefix(name, ".writing-") {
			t.Errorf("%s was left", name)
		}
	}
}

// timeToInstall is how long a pull takes until the model is there; what it measures then is not counted.
func timeToInstall(t *testing.T, home string, s *weightsServer) time.Duration {
	t.Helper()
	cmd := call{args: s.pull()}.start(t)
	began := time.Now()
	must(t, cmd.Start())
	for {
		if _, err := os.Stat(filepath.Join(home, "models", "mine", model.ManifestFile)); err == nil {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("it is not installed after a minute")
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	must(t, cmd.Wait())
	return took
}

func TestPullsAtOnce(t *testing.T) {
	home := ownHome(t)
	s := newWeightsServer(t)
	s.pause = 5 * time.Millisecond
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if o := command(t, s.pull()...); o.code != 0 {
				t.Errorf("exit status %d: %s", o.code, o.stderr)
			}
		})
	}
	group.Wait()
	if n := s.sent.Load(); n != int64(len(s.data)) {
		t.Errorf("%d bytes were sent for a file of %d", n, len(s.data))
	}
	if !usable(t, home, "mine") {
		t.Error("it is not installed")
	}
}

func TestPullThroughAProxy(t *testing.T) {
	home := ownHome(t)
	s := newWeightsServer(t)
	args := s.pull()
	args[2] = "http://weights.invalid/their.onnx"
	o := call{args: args, env: []string{"HTTP_PROXY=" + s.URL, "http_proxy=" + s.URL, "NO_PROXY=", "no_proxy="}}.run(t)
	o.want(t, 0, "mine is installed in "+filepath.Join(home, "models", "mine"))
}

func TestPullSaysWhatIsWrong(t *testing.T) {
	home := ownHome(t)
	s := newWeightsServer(t)
	command(t, "model", "pull", s.URL+"/their.onnx").want(t, exitFailed, "--sha256 HEX")
	command(t, "model", "pull", "resnet50", "--sha256", strings.Repeat("0", 64)).want(t, exitUsage, "--sha256 is for a URL")
	command(t, "model", "pull", "resnet50", "--offline").want(t, exitFailed, "offline", "put it here as "+filepath.Join(home, "downloads", "resnet50-0676ba61.pth"))
	command(t, "model", "pull", "resnet5").want(t, exitFailed, "did you mean resnet50")
	began := time.Now()
	o := call{args: []string{"model", "pull", "hf://a/b/c.safetensors"}, env: []string{"HF_ENDPOINT=http://127.0.0.1:1"}}.run(t)
	o.want(t, exitFailed, "connection refused", "on a machine that can reach it get https://huggingface.co/a/b/resolve/main/c.safetensors", "imgvec model import FOLDER", "HF_ENDPOINT")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v to say that there is no network", took)
	}
}

func TestModelsAreListedVerifiedAndRemoved(t *testing.T) {
	home := ownHome(t)
	s := newWeightsServer(t)
	command(t, s.pull()...).want(t, 0)
	file := filepath.Join(t.TempDir(), "other.onnx")
	must(t, os.WriteFile(file, tinyGraph(), 0o644))
	command(t, "model", "import", file).want(t, exitFailed, "--preset", "imgvec.json")
	command(t, "model", "import", file, "--preset", "torchvision-v1", "--licence", "MIT (the author's word)").want(t, 0)
	command(t, "model", "verify", "--all", "--files-only").want(t, 0, "mine: its files", "other: its files")
	damaged := filepath.Join(home, "models", "mine", model.ModelFile)
	must(t, os.WriteFile(damaged, tinyGraph(), 0o644))
	command(t, "model", "verify", "--all", "--files-only").want(t, exitFailed, "mine: ", "is damaged or was changed", "other: its files", "1 of 2 models")
	command(t, "model", "verify", "--all", "mine").want(t, exitUsage, "not both")
	must(t, os.WriteFile(damaged, nil, 0o644))

	o := command(t, "model", "list", "--json")
	var list []model.Listing
	must(t, json.Unmarshal([]byte(o.stdout), &list))
	found := map[string]model.Listing{}
	for _, l := range list {
		found[l.Name] = l
	}
	if l := found["other"]; !l.Installed || l.License != "MIT (the author's word)" || l.Dim != tinyDim || l.DiskBytes == 0 {
		t.Errorf("%+v", l)
	}
	if l := found["mine"]; l.Installed || l.Damaged == "" {
		t.Errorf("%+v", l)
	}
	o = command(t, "model", "list", "--installed")
	o.want(t, 0, "mine is damaged")
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[1], "mine   damaged") || strings.Index(lines[2], "MIT") != strings.Index(lines[0], "LICENCE") {
		t.Errorf("the table is\n%s", o.stdout)
	}

	command(t, "model", "rm").want(t, exitUsage, "--cache")
	command(t, "model", "rm", filepath.Join(home, "models", "other")).want(t, exitFailed, "not the name of an installed model")
	command(t, "model", "rm", "other", "--dry-run").want(t, 0, "would remove")
	command(t, "model", "rm", "other", "absent", "mine").want(t, exitFailed, "removed other", "removed mine", `"absent": model not usable: it is not installed`)
	if names := model.Installed(); len(names) > 0 {
		t.Errorf("left: %v", names)
	}
	command(t, "model", "rm", "--cache", "--dry-run").want(t, 0, "downloaded weights", "would be free")
	command(t, "model", "rm", "--cache").want(t, 0, "downloaded weights", fmt.Sprintf("%.1f MB free again", float64(len(s.data))/1e6))
	if names := left(t, filepath.Join(home, "downloads")); strings.Join(names, " ") != ".lock" {
		t.Errorf("left: %v", names)
	}
}

// A process that has the model open goes on with it when it is removed.
func TestRemovedWhileItIsUsed(t *testing.T) {
	ownHome(t)
	s := newWeightsServer(t)
	command(t, s.pull()...).want(t, 0)
	photos := pictures(t, 2)
	cmd := call{args: []string{"extract", "-", "-o", "-", "--model", "mine", "--progress", "none"}}.start(t)
	cmd.Stdin = nil
	paths, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var r *ipc.Reader
	for i, name := range left(t, photos) {
		_, err := fmt.Fprintln(paths, filepath.Join(photos, name))
		must(t, err)
		if r == nil {
			r, err = ipc.NewReader(stdout)
			must(t, err)
		}
		if !r.Next() || fromRecord(r.RecordBatch())[0].Error != nil {
			t.Fatalf("row %d: %v", i, r.Err())
		}
		if i == 0 {
			command(t, "model", "rm", "mine").want(t, 0, "removed mine")
		}
	}
	must(t, paths.Close())
	if r.Next() || r.Err() != nil {
		t.Errorf("after the last row: %v", r.Err())
	}
	must(t, cmd.Wait())
}

func TestModelInfoAsJSON(t *testing.T) {
	home := ownHome(t)
	s := newWeightsServer(t)
	command(t, s.pull()...).want(t, 0)
	var facts modelFacts
	must(t, json.Unmarshal([]byte(command(t, "model", "info", "mine", "--json").stdout), &facts))
	if facts.Weights.SHA256 != s.sum() || facts.Dir != filepath.Join(home, "models", "mine") || facts.DiskBytes < int64(len(s.data)) ||
		!strings.Contains(facts.PresetWords, "256") || len(facts.Cosines) == 0 || facts.Reference == nil {
		t.Errorf("%+v", facts)
	}
	o := command(t, "model", "info", "mine")
	for _, want := range []string{s.URL + "/their.onnx", "not stated", facts.PresetWords, "MB)", "cosine"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("info lacks %q:\n%s", want, o.stdout)
		}
	}
	var listing model.Listing
	must(t, json.Unmarshal([]byte(command(t, "model", "info", "dinov2-s14", "--json").stdout), &listing))
	if listing.Installed || listing.Dim != 384 || len(listing.SHA256) != 64 {
		t.Errorf("%+v", listing)
	}
}

func TestTablesFitTheTerminal(t *testing.T) {
	var b bytes.Buffer
	rows := [][]string{{"NAME", "N", "SOURCE"}, {"ä", "1", "somewhere far away"}, {"longer", "22", "here"}}
	must(t, printTable(&b, rows, 20, 1))
	if want := "NAME     N  SOURCE\nä        1  somewhe…\nlonger  22  here\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
