package fetch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestWheelIsDownloadedOnceAndReused(t *testing.T) {
	source, dir := t.TempDir(), filepath.Join(t.TempDir(), "new")
	pin := fakePin(t, source, "alpha", []byte("wheel bytes"))
	calls := fakePip(t, bring(source))

	var lines []string
	path, err := Wheel(t.Context(), pin, dir, func(s string) { lines = append(lines, s) })
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "wheel bytes" {
		t.Errorf("wheel holds %q", got)
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "alpha 1.0") || !strings.Contains(lines[0], "MiB") {
		t.Errorf("log = %q, want one line with name, version and size", lines)
	}
	if _, err := Wheel(t.Context(), pin, dir, nil); err != nil {
		t.Fatal(err)
	}
	if n := countLines(t, calls); n != 1 {
		t.Errorf("pip ran %d times, want once", n)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWheelHonoursPinsOnTheCommandLine(t *testing.T) {
	source := t.TempDir()
	pin := fakePin(t, source, "alpha", []byte("x"))
	calls := fakePip(t, `cp "$requirement" "$dest/../requirement.txt"; `+bring(source))
	dir := t.TempDir()
	if _, err := Wheel(t.Context(), pin, dir, nil); err != nil {
		t.Fatal(err)
	}
	args, _ := os.ReadFile(calls)
	for _, want := range []string{"--no-deps", "--only-binary=:all:", "--python-version 311", "--platform manylinux_2_28_x86_64", "--require-hashes"} {
		if !strings.Contains(string(args), want) {
			t.Errorf("pip was called without %q: %s", want, args)
		}
	}
	requirement, _ := os.ReadFile(filepath.Join(dir, "requirement.txt"))
	if want := "alpha==1.0 --hash=sha256:" + pin.SHA256 + "\n"; string(requirement) != want {
		t.Errorf("requirement = %q, want %q", requirement, want)
	}
}

func TestWheelReplacesADamagedOne(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	pin := fakePin(t, source, "alpha", []byte("wheel bytes"))
	for _, damaged := range []string{"wheel bytez", "wheel", ""} {
		fakePip(t, bring(source))
		path := filepath.Join(dir, pin.File)
		if err := os.WriteFile(path, []byte(damaged), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Wheel(t.Context(), pin, dir, nil); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != "wheel bytes" {
			t.Errorf("after damage %q the wheel holds %q", damaged, got)
		}
	}
}

func TestWheelRefusesOtherBytes(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	pin := fakePin(t, source, "alpha", []byte("wheel bytes"))
	for _, other := range []string{"wheel bytez", "longer than the wheel bytes"} {
		fakePip(t, bring(source))
		if err := os.WriteFile(filepath.Join(source, pin.File), []byte(other), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Wheel(t.Context(), pin, dir, nil)
		if err == nil || !strings.Contains(err.Error(), "not the pinned file") {
			t.Errorf("pip brought %q: error %v", other, err)
		}
		if _, err := os.Stat(filepath.Join(dir, pin.File)); !os.IsNotExist(err) {
			t.Errorf("the wrong wheel got the final name (%v)", err)
		}
		if left := leftovers(t, dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestWheelWithoutPipSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Wheel(t.Context(), Pin{Name: "alpha", Version: "1.0", File: "a.whl"}, t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "python3 -m pip") || !strings.Contains(err.Error(), "apt install python3-pip") {
		t.Errorf("error = %v", err)
	}
}

func TestWheelShowsPipsOwnWords(t *testing.T) {
	fakePip(t, `echo "ERROR: no route to the index" >&2; exit 1`)
	_, err := Wheel(t.Context(), Pin{Name: "alpha", Version: "1.0", File: "a.whl"}, t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "no route to the index") || !strings.Contains(err.Error(), "--bundle") {
		t.Errorf("error = %v", err)
	}
}

func TestWheelWithoutANetworkSaysSo(t *testing.T) {
	fakePip(t, `for i in 3 2 1 0; do echo "WARNING: Retrying (Retry(total=$i)) after connection broken: refused"; done >&2
echo "ERROR: No matching distribution found" >&2; exit 1`)
	_, err := Wheel(t.Context(), Pin{Name: "alpha", Version: "1.0", File: "a.whl"}, t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "can't reach the package index") || strings.Count(err.Error(), "Retrying") != 1 {
		t.Errorf("error = %v", err)
	}
}

func TestWheelCancelled(t *testing.T) {
	dir := t.TempDir()
	fakePip(t, `exec sleep 60`)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	start := time.Now()
	_, err := Wheel(ctx, Pin{Name: "alpha", Version: "1.0", File: "a.whl"}, dir, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", err)
	}
	if waited := time.Since(start); waited > 30*time.Second {
		t.Errorf("cancelling took %v", waited)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWheelManyCallersOneDownload(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	pin := fakePin(t, source, "alpha", []byte("wheel bytes"))
	calls := fakePip(t, "sleep 0.2; "+bring(source))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := Wheel(t.Context(), pin, dir, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := countLines(t, calls); n != 1 {
		t.Errorf("pip ran %d times, want once", n)
	}
}

func TestStaleDownloadsAreRemoved(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	pin := fakePin(t, source, "alpha", []byte("x"))
	fakePip(t, bring(source))
	stale := filepath.Join(dir, ".download-of-a-killed-process")
	if err := os.MkdirAll(filepath.Join(stale, "part"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Wheel(t.Context(), pin, dir, nil); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
