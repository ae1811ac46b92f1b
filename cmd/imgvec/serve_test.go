package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/serve"
)

// faulty is the command that marked images crash; it is built where a test asks for it.
var faulty = sync.OnceValues(func() (string, error) {
	path := binary + "-faults"
	out, err := exec.Command("go", "build", "-tags", "imgvec_faults", "-o", path, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, err
})

func faultyBinary(t *testing.T) string {
	t.Helper()
	path, err := faulty()
	must(t, err)
	return path
}

// served is a server under test.
type served struct {
	*exec.Cmd
	path, words    string
	about          serve.About
	stdout, stderr bytes.Buffer // to read after wait
	read           chan struct{}
}

// launch starts a server of the tiny model; with extra files, and of another program than binary.
func launch(t *testing.T, program string, files []*os.File, args ...string) *served {
	t.Helper()
	needModel(t)
	dir := t.TempDir()
	s := &served{path: filepath.Join(dir, "s.sock"), words: filepath.Join(dir, "words"), read: make(chan struct{})}
	all := append([]string{"serve", "--listen", "unix:" + s.path, "--model", tinyModel(t), "--device", "cpu", "--last-words", s.words}, args...)
	s.Cmd = call{args: all}.start(t)
	s.Path, s.Args[0], s.ExtraFiles, s.Stdin = program, program, files, nil
	s.Stderr = &s.stderr
	return s
}

// ready waits for READY.
func (s *served) ready(t *testing.T) *served {
	t.Helper()
	out, err := s.StdoutPipe()
	must(t, err)
	must(t, s.Start())
	t.Cleanup(func() { _ = s.Process.Kill() })
	r := bufio.NewReader(io.TeeReader(out, &s.stdout))
	line, err := r.ReadBytes('\n')
	if err != nil {
		_ = s.Wait()
		t.Fatalf("no READY: %v; standard error:\n%s", err, &s.stderr)
	}
	text, ok := bytes.CutPrefix(line, []byte("READY "))
	if !ok {
		t.Fatalf("standard output begins with %q", line)
	}
	must(t, json.Unmarshal(text, &s.about))
	go func() {
		_, _ = io.Copy(io.Discard, r)
		close(s.read)
	}()
	return s
}

func running(t *testing.T, args ...string) *served {
	t.Helper()
	return launch(t, binary, nil, args...).ready(t)
}

// ends waits for the end and checks the status, that READY was all of standard output, and that a clean end leaves nothing.
func (s *served) ends(t *testing.T, code int) {
	t.Helper()
	<-s.read
	_ = s.Wait()
	if got := s.ProcessState.ExitCode(); got != code {
		t.Errorf("exit status %d, want %d; standard error:\n%s", got, code, &s.stderr)
	}
	if lines := strings.Count(s.stdout.String(), "\n"); lines != 1 {
		t.Errorf("%d lines on standard output:\n%s", lines, &s.stdout)
	}
	if code != exitStalled {
		s.leaves(t)
	}
}

func (s *served) leaves(t *testing.T, names ...string) {
	t.Helper()
	if got := left(t, filepath.Dir(s.path)); strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("left in the folder: %q, want %q", got, names)
	}
}

func TestServeAnswers(t *testing.T) {
	s := running(t, "--cores", "1", "--max-bytes", "1048576", "--metrics", "127.0.0.1:0")
	if s.about.PID != s.Process.Pid || s.about.Dim != tinyDim || s.about.Loads != 1 || s.about.Version != "v0.0.0-test" || len(s.about.SHA256) != 64 {
		t.Errorf("READY says %+v", s.about)
	}
	for name, want := range map[string]string{"device": "cpu", "max-bytes": "1048576", "exif": "apply", "normalize": "false", "batch": ""} {
		if got, ok := s.about.Options[name]; !ok || got != want {
			t.Errorf("option %s is %q, want %q", name, got, want)
		}
	}
	if info, err := os.Stat(s.path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	c, reply := dial(t, s.path)
	if !reply.OK || reply.About.SHA256 != s.about.SHA256 {
		t.Fatalf("refused: %+v", reply)
	}
	pictures := model.ReferencePictures()
	c.send(pictures[0], []byte("no image"), pictures[1])
	c.send()
	c.end()
	rows, trailer := c.answers()
	if fmt.Sprint(rows) != fmt.Sprint([]int{tinyDim, 0, tinyDim}) || !trailer.OK || trailer.Rows != 3 || trailer.Failed != 1 {
		t.Errorf("rows %v, %+v", rows, trailer)
	}
	must(t, s.Process.Signal(syscall.SIGTERM))
	s.ends(t, exitOK)
	if log := s.stderr.String(); !strings.Contains(log, "workers=1 ") {
		t.Errorf("--cores 1 is not followed:\n%s", log)
	}
}

func TestServeMetricsOverHTTP(t *testing.T) {
	s := running(t, "--metrics", "127.0.0.1:0")
	words, err := os.ReadFile(s.words)
	must(t, err)
	url := regexp.MustCompile(`http://[0-9.:]+/metrics`).FindString(string(words))
	resp, err := http.Get(url)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "\nimgvec_model_loads_total 1\n") {
		t.Errorf("%s: %s\n%s", url, resp.Status, text)
	}
}

func TestServeEndsWhenIdle(t *testing.T) {
	running(t, "--idle-exit", "300ms").ends(t, exitOK)
}

// TestServeStaysWhileUsed: a client that is connected, however quiet, keeps the server.
func TestServeStaysWhileUsed(t *testing.T) {
	s := running(t, "--idle-exit", "300ms")
	c, _ := dial(t, s.path)
	time.Sleep(time.Second)
	c.send(model.ReferencePictures()[0])
	c.end()
	if rows, trailer := c.answers(); len(rows) != 1 || !trailer.OK {
		t.Errorf("%v, %+v", rows, trailer)
	}
	s.ends(t, exitOK)
}

// TestServeDrains: SIGTERM lets what was read be answered, for longer than other commands may take to end.
func TestServeDrains(t *testing.T) {
	s := launch(t, faultyBinary(t), nil, "--batch", "1").ready(t)
	c, _ := dial(t, s.path)
	slow := append([]byte("IMGVEC-FAULT-SLEEP:3000 "), model.ReferencePictures()[0]...)
	picture := model.ReferencePictures()[0]
	c.send(picture, slow)
	c.send(picture)
	waitForRows(t, s.path)
	must(t, s.Process.Signal(syscall.SIGTERM))
	rows, trailer := c.answers()
	if len(rows) < 2 || rows[0] != tinyDim || trailer.Code != serve.CodeStopping || int(trailer.Rows) != len(rows) {
		t.Errorf("%v, %+v", rows, trailer)
	}
	s.ends(t, exitOK)
}

// waitForRows waits until the server has read something.
func waitForRows(t *testing.T, path string) {
	t.Helper()
	for range 600 {
		conn, err := net.Dial("unix", path)
		must(t, err)
		_, err = fmt.Fprintf(conn, `{"protocol":1,"request":"metrics"}`+"\n")
		must(t, err)
		text, err := io.ReadAll(conn)
		must(t, err)
		must(t, conn.Close())
		if regexp.MustCompile(`\nimgvec_queued_rows [1-9]`).Match(text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no row came to the server")
}

func TestServeEndsAtOnceBySignals(t *testing.T) {
	for signal, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGHUP: 129} {
		s := launch(t, faultyBinary(t), nil).ready(t)
		c, _ := dial(t, s.path)
		c.send([]byte("IMGVEC-FAULT-SLEEP:600000")) // so that it can't end but by force
		waitForRows(t, s.path)
		must(t, s.Process.Signal(signal))
		s.ends(t, code)
	}
}

// TestServeLeavesNothingWhenForced: the second signal waits for nothing.
func TestServeLeavesNothingWhenForced(t *testing.T) {
	s := launch(t, faultyBinary(t), nil).ready(t)
	c, _ := dial(t, s.path)
	c.send([]byte("IMGVEC-FAULT-SLEEP:600000"))
	waitForRows(t, s.path)
	must(t, s.Process.Signal(syscall.SIGINT))
	must(t, s.Process.Signal(syscall.SIGHUP))
	<-s.read
	_ = s.Wait()
	if code := s.ProcessState.ExitCode(); code != 129 && code != 130 {
		t.Errorf("exit status %d", code)
	}
	s.leaves(t)
}

func TestServeTakesTheNameOfADeadServer(t *testing.T) {
	s := launch(t, binary, nil)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.path, Net: "unix"})
	must(t, err)
	l.SetUnlinkOnClose(false)
	must(t, l.Close())
	s.ready(t)
	if _, reply := dial(t, s.path); !reply.OK {
		t.Errorf("refused: %+v", reply)
	}
}

func TestServeRefusesTheNameOfALivingServer(t *testing.T) {
	s := running(t)
	command(t, "serve", "--listen", "unix:"+s.path, "--model", tinyModel(t)).want(t, exitFailed, "a server answers there already")
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	command(t, "serve", "--listen", "unix:"+file, "--model", tinyModel(t)).want(t, exitFailed, "no socket")
	if _, reply := dial(t, s.path); !reply.OK {
		t.Errorf("the living server refuses: %+v", reply)
	}
}

// TestServeHoldsTheLockUntilReady: whoever waits for the lock finds a server that is ready.
func TestServeHoldsTheLockUntilReady(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := os.Create(path)
	must(t, err)
	must(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	s := launch(t, binary, []*os.File{lock}, "--lock-fd", "3")
	other, err := os.Open(path)
	must(t, err)
	defer other.Close()
	out, err := s.StdoutPipe()
	must(t, err)
	must(t, s.Start())
	must(t, lock.Close()) // the server's alone now
	got := make(chan error, 1)
	go func() { got <- unix.Flock(int(other.Fd()), unix.LOCK_EX) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "READY ") {
		t.Fatalf("%q, %v; standard error:\n%s", line, err, &s.stderr)
	}
	must(t, <-got)
	if _, reply := dial(t, s.path); !reply.OK {
		t.Errorf("the lock is free and the server refuses: %+v", reply)
	}
	signalled(t, s.Cmd, syscall.SIGTERM)
}

// TestServeIsThereWhenTheLockIsFree: the lock is not let go of before the socket is there.
func TestServeIsThereWhenTheLockIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := os.Create(path)
	must(t, err)
	must(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	s := launch(t, binary, []*os.File{lock}, "--lock-fd", "3")
	must(t, s.Start())
	must(t, lock.Close())
	other, err := os.Open(path)
	must(t, err)
	defer other.Close()
	must(t, unix.Flock(int(other.Fd()), unix.LOCK_EX))
	if _, err := os.Stat(s.path); err != nil {
		t.Errorf("the lock is free before the socket is there: %v; standard error:\n%s", err, &s.stderr)
	}
	signalled(t, s.Cmd, syscall.SIGTERM)
}

func TestServeLeavesLastWords(t *testing.T) {
	s := launch(t, faultyBinary(t), nil).ready(t)
	c, _ := dial(t, s.path)
	c.send([]byte("IMGVEC-FAULT-CRASH"))
	_ = c.gone()
	_ = s.Wait()
	if s.ProcessState.Success() {
		t.Error("the server did not crash")
	}
	words, err := os.ReadFile(s.words)
	must(t, err)
	for _, want := range []string{"msg=ready", "SIGSEGV", "goroutine "} {
		if !strings.Contains(string(words), want) {
			t.Errorf("the last words lack %q:\n%s", want, words)
		}
	}
}

func TestServeEndsWhenAnImageHangs(t *testing.T) {
	s := launch(t, faultyBinary(t), nil, "--stall-timeout", "1s").ready(t)
	c, _ := dial(t, s.path)
	c.send([]byte("IMGVEC-FAULT-HANG"))
	_ = c.gone()
	s.ends(t, exitStalled)
	words, err := os.ReadFile(s.words)
	must(t, err)
	if !strings.Contains(string(words), "stall timeout") {
		t.Errorf("the last words do not tell:\n%s", words)
	}
	s.leaves(t, "words")
}

func TestServeFetchSaysWhatItCannotDo(t *testing.T) {
	home := t.TempDir()
	args := []string{"serve", "--listen", "unix:s.sock", "--fetch", "--last-words", filepath.Join(home, "words")}
	o := call{args: args, env: []string{"PATH=", "IMGVEC_PYTHON=", "IMGVEC_HOME=" + home, "IMGVEC_SYSTEM_LIBRARIES=off"}}.run(t)
	o.want(t, exitFailed, "the native libraries can't be fetched", "no pip found", "the model can't be fetched", "is not installed")
	if o.stdout != "" {
		t.Errorf("standard output: %s", o.stdout)
	}
	words, err := os.ReadFile(filepath.Join(home, "words"))
	must(t, err)
	if !strings.Contains(string(words), "is not installed") {
		t.Errorf("the last words lack the error:\n%s", words)
	}
}

// Libraries for GPUs are gigabytes: they are not fetched for a GPU that is not there. Without a pip an attempt is told.
func TestServeFetchesNothingForAGPUThatIsNotThere(t *testing.T) {
	args := []string{"serve", "--listen", "unix:s.sock", "--fetch", "--device", "cuda", "--last-words", filepath.Join(t.TempDir(), "words")}
	o := call{args: args, env: []string{"PATH=", "IMGVEC_PYTHON=", "IMGVEC_CUDA_DRIVER=" + filepath.Join(t.TempDir(), "none")}}.run(t)
	o.want(t, exitFailed, "open device")
	if strings.Contains(o.stderr, "fetch") {
		t.Errorf("it tried to fetch:\n%s", o.stderr)
	}
}

func TestServeSaysThatTheFolderIsMissing(t *testing.T) {
	dir := t.TempDir()
	o := call{args: []string{"serve", "--listen", "unix:" + filepath.Join(dir, "none", "s.sock"), "--model", "nothing"}}.run(t)
	o.want(t, exitFailed, "its folder is not there: make it first") // before the model is looked for
	if names := left(t, dir); len(names) > 0 {
		t.Errorf("left %v", names)
	}
}

func TestVersionTellsOfFaults(t *testing.T) {
	text, err := exec.CommandContext(t.Context(), faultyBinary(t), "version", "--json").Output()
	must(t, err)
	var b build
	must(t, json.Unmarshal(text, &b))
	if !b.Faults {
		t.Errorf("%s", text)
	}
}
