package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kills is how often a run is killed for each format, across it and in its last 300 ms: IMGVEC_LONG=1 does all of it.
func kills() int {
	if os.Getenv("IMGVEC_LONG") != "" {
		return 25
	}
	return 3
}

// TestKilled: whenever the process dies, the output is whole or not there, and the next run cleans up.
func TestKilled(t *testing.T) {
	needModel(t)
	rows := 100 * min(kills(), 5)
	inputs, tiny := "@"+list(t, pictures(t, 30), rows), tinyModel(t)
	for _, ext := range extensions {
		t.Run(ext[1:], func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x"+ext)
			args := []string{"extract", inputs, "-o", path, "--model", tiny, "--progress", "none"}
			start := time.Now()
			command(t, args...).want(t, 0)
			whole := time.Since(start)
			if !absentOrWhole(t, path, rows) {
				t.Fatal("a run that was not killed wrote nothing")
			}
			done := 0
			for i := range 2 * kills() {
				clear(t, path)
				after := time.Duration(rand.Float64() * float64(whole))
				if i%2 == 1 {
					after = whole - time.Duration(rand.Float64()*float64(300*time.Millisecond))
				}
				cmd := call{args: args}.start(t)
				must(t, cmd.Start())
				time.Sleep(after)
				signalled(t, cmd, syscall.SIGKILL)
				if absentOrWhole(t, path, rows) {
					done++
					whole = whole * 19 / 20 // so that the kills stay about the end on a machine whose speed changes
				} else if i%2 == 1 {
					whole = whole * 21 / 20
				}
			}
			t.Logf("%d of %d killed runs had come to their end; a run takes %v", done, 2*kills(), whole.Round(time.Millisecond))
			clear(t, path)
			command(t, args...).want(t, 0)
			absentOrWhole(t, path, rows)
			for _, name := range left(t, dir) {
				if strings.Contains(name, ".tmp") {
					t.Errorf("%s is left", name)
				}
			}
		})
	}
}

func clear(t *testing.T, path string) {
	t.Helper()
	must(t, os.RemoveAll(path))
	must(t, os.RemoveAll(path+".ids.jsonl"))
}

// TestKilledWhileReplacing: an older output is replaced by a whole one or not at all; an array never stands beside the
// ids of another.
func TestKilledWhileReplacing(t *testing.T) {
	needModel(t)
	dir := pictures(t, 30)
	old, fresh := "@"+list(t, dir, 500), "@"+list(t, dir, 1000)
	tiny := tinyModel(t)
	path := filepath.Join(t.TempDir(), "x.npy")
	args := []string{"extract", fresh, "-o", path, "--force", "--model", tiny, "--progress", "none"}
	start := time.Now()
	command(t, args...).want(t, 0)
	whole := time.Since(start)
	for range kills() {
		command(t, "extract", old, "-o", path, "--force", "--model", tiny).want(t, 0)
		cmd := call{args: args}.start(t)
		must(t, cmd.Start())
		time.Sleep(whole - time.Duration(rand.Float64()*float64(300*time.Millisecond)))
		signalled(t, cmd, syscall.SIGKILL)
		rows, err := readNPY(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil || len(rows) != 500 && len(rows) != 1000 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	}
}

// endless is a run that lasts until it is stopped.
func endless(t *testing.T, dir, output string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := call{args: []string{"extract", "@" + list(t, pictures(t, 30), 1_000_000), "-o", output, "--progress", "json"}, dir: dir}.start(t)
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	must(t, cmd.Start())
	return cmd, stderr
}

// TestInterrupted: within two seconds, with a word on how far it came, with nothing left.
func TestInterrupted(t *testing.T) {
	needModel(t)
	for signal, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		for _, after := range []time.Duration{300 * time.Millisecond, 2 * time.Second} { // at first while the model is loaded
			dir := t.TempDir()
			cmd, stderr := endless(t, dir, "x.parquet")
			time.Sleep(after)
			start := time.Now()
			if got := signalled(t, cmd, signal); got != code {
				t.Errorf("%v after %v: status %d, want %d:\n%s", signal, after, got, code, stderr)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("%v after %v: ended after %v", signal, after, took)
			}
			if !strings.Contains(stderr.String(), "imgvec: interrupted") {
				t.Errorf("%v after %v: standard error: %s", signal, after, stderr)
			}
			if after > time.Second && !strings.Contains(stderr.String(), "of 1,000,000 images") {
				t.Errorf("%v after %v does not say how far it came: %s", signal, after, stderr)
			}
			if f := lastLine(t, stderr.String()); after > time.Second && (f.Status != "interrupted" || f.Total != 1_000_000) {
				t.Errorf("%v after %v: the last line of progress is %+v", signal, after, f)
			}
			if names := left(t, dir); len(names) > 0 {
				t.Errorf("%v after %v left %v", signal, after, names)
			}
		}
	}
}

// TestInterruptedWhileWaiting: a run whose list has not come to its end.
func TestInterruptedWhileWaiting(t *testing.T) {
	needModel(t)
	dir, input := t.TempDir(), pictures(t, 1)
	cmd := call{args: []string{"extract", "-", "-o", "x.npy"}, dir: dir}.start(t)
	cmd.Stdin = nil
	pipe, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	for _, name := range left(t, input) {
		_, err := fmt.Fprintln(pipe, filepath.Join(input, name))
		must(t, err)
	}
	time.Sleep(time.Second)
	start := time.Now()
	if code := signalled(t, cmd, syscall.SIGTERM); code != 143 || time.Since(start) > 2*time.Second {
		t.Errorf("status %d after %v", code, time.Since(start))
	}
	if names := left(t, dir); len(names) > 0 {
		t.Errorf("left %v", names)
	}
}

func TestInterruptedTwiceEndsAtOnce(t *testing.T) {
	needModel(t)
	dir := t.TempDir()
	cmd, _ := endless(t, dir, "x.npy")
	time.Sleep(2 * time.Second)
	must(t, cmd.Process.Signal(syscall.SIGINT))
	if code := signalled(t, cmd, syscall.SIGINT); code != 130 {
		t.Errorf("status %d", code)
	}
	if _, err := os.Stat(filepath.Join(dir, "x.npy")); err == nil {
		t.Error("an output is there")
	}
}

// TestDiskFull: a limit on the size of files stands for a full disk, and a small file system where we may mount one.
func TestDiskFull(t *testing.T) {
	needModel(t)
	inputs := fmt.Sprintf("@%s --model %s", list(t, pictures(t, 30), 600), tinyModel(t))
	for _, ext := range extensions {
		dir := t.TempDir()
		script := fmt.Sprintf("ulimit -f 1000; exec %s extract %s -o x%s", binary, inputs, ext)
		o := shell(t, dir, script)
		o.want(t, exitFailed, "x"+ext, "files may not grow")
		if names := left(t, dir); len(names) > 0 {
			t.Errorf("%s: left %v", ext, names)
		}
		if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
			t.Logf("no small file system: %v", err)
			continue
		}
		o = shell(t, dir, fmt.Sprintf("%s extract %s -o %s/x%s", binary, inputs, dir, ext))
		o.want(t, exitFailed, "x"+ext, "no space left", "choose another folder")
		if names := left(t, dir); len(names) > 0 {
			t.Errorf("%s: left %v", ext, names)
		}
		must(t, syscall.Unmount(dir, 0))
	}
	shell(t, t.TempDir(), fmt.Sprintf("%s extract %s -o - >/dev/full", binary, inputs)).want(t, exitFailed, "no space left")
	shell(t, t.TempDir(), fmt.Sprintf("set -o pipefail; %s extract %s -o - | head -c 1000 >/dev/null", binary, inputs)).want(t, exitFailed, "its reader is gone")
}

func shell(t *testing.T, dir, script string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	_ = cmd.Run()
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}
