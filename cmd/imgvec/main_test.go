package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

// binary is the command, built once; the tests run it as people do.
var binary string

// buildFlags are those that the command is built with: with the tag cuda where the tests are.
var buildFlags []string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "imgvec-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "imgvec")
	build := append([]string{"build", "-ldflags", "-X main.version=v0.0.0-test", "-o", binary}, buildFlags...)
	if out, err := exec.Command("go", append(build, ".")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// call is one run of the command.
type call struct {
	args  []string
	stdin string
	env   []string
	dir   string
}

// outcome is how it ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs the command to its end in a fresh folder, or in c.dir.
func (c call) run(t *testing.T) outcome {
	t.Helper()
	cmd := c.start(t)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (c call) start(t *testing.T) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, c.args...)
	if cmd.Dir = c.dir; c.dir == "" {
		cmd.Dir = t.TempDir()
	}
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdin = strings.NewReader(c.stdin)
	return cmd
}

func command(t *testing.T, args ...string) outcome {
	t.Helper()
	return call{args: args}.run(t)
}

// want checks the exit status and that each of the texts is on standard error.
func (o outcome) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit status %d, want %d; standard error:\n%s", o.code, code, o.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("standard error lacks %q:\n%s", text, o.stderr)
		}
	}
}

// needModel makes sure that the default model can be run, and puts its home folder into the environment.
func needModel(t *testing.T) {
	t.Helper()
	t.Setenv("IMGVEC_HOME", testdata.Home(t))
	if _, err := model.Open(model.Default, model.OpenOptions{}); err != nil {
		testdata.Require(t, "ort", err.Error())
	}
}

// pictures makes a folder of n small pictures, real photos where there are any.
func pictures(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	drawn := model.ReferencePictures()
	for i := range n {
		data := drawn[i%len(drawn)]
		ext := ".png"
		if bytes.HasPrefix(data, []byte{0xff, 0xd8}) {
			ext = ".jpg"
		}
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d%s", i, ext)), data, 0o644))
	}
	return dir
}

// list writes a list of n paths, which take turns among the pictures of a folder.
func list(t *testing.T, dir string, n int) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, filepath.Join(dir, entries[i%len(entries)].Name()))
	}
	path := filepath.Join(t.TempDir(), "list.txt")
	must(t, os.WriteFile(path, []byte(b.String()), 0o644))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// left lists what a folder holds, hidden files too.
func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func signalled(t *testing.T, cmd *exec.Cmd, s syscall.Signal) int {
	t.Helper()
	must(t, cmd.Process.Signal(s))
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -int(status.Signal())
	}
	return cmd.ProcessState.ExitCode()
}
