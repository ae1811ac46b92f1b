package gpu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/imgvec/imgvec"
)

// builder stands for TensorRT: it writes an engine where there is none.
type builder struct {
	mu            sync.Mutex
	builds, loads int
	refuse        error // of a built engine
}

func (b *builder) open(dir string, built bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if built {
		b.loads++
		if _, err := os.Stat(filepath.Join(dir, "a.engine")); err != nil {
			return err
		}
		return b.refuse
	}
	b.builds++
	if err := os.MkdirAll(filepath.Join(dir, "batch-8"), 0o755); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "a.engine"), []byte("engine"), 0o644),
		os.WriteFile(filepath.Join(dir, "batch-8", "b.engine"), []byte("engine"), 0o644))
}

type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) log(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, s)
}

func key(model string) engineKey {
	return engineKey{Model: model, Libraries: map[string]string{"TensorRT": "10.15.1"}, Capability: "9.0", Driver: "580.1", Options: map[string]string{"trt_fp16_enable": "1"}}
}

func TestEnginesAreBuiltOnce(t *testing.T) {
	c := engineCache{t.TempDir(), (&lines{}).log}
	var b builder
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if err := c.use(t.Context(), key("m"), b.open); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if b.builds != 1 || b.loads != 7 {
		t.Errorf("%d builds and %d loads, want 1 and 7", b.builds, b.loads)
	}
	for _, other := range []engineKey{key("n"), {Model: "m"}} {
		if err := c.use(t.Context(), other, b.open); err != nil {
			t.Fatal(err)
		}
	}
	if b.builds != 3 {
		t.Errorf("%d builds for three keys", b.builds)
	}
}

// TestBadEnginesAreBuiltAnew spoils the cache in every way that it may be found in.
func TestBadEnginesAreBuiltAnew(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string // in the line that says so
	}{
		"damaged":    {func(t *testing.T, dir string) { write(t, dir, "a.engine", "engind") }, "a.engine is damaged"},
		"a bucket's": {func(t *testing.T, dir string) { write(t, dir, "batch-8/b.engine", "engind") }, "batch-8/b.engine is damaged"},
		"cut off":    {func(t *testing.T, dir string) { write(t, dir, "a.engine", "") }, "a.engine is damaged"},
		"missing": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "a.engine")); err != nil {
				t.Fatal(err)
			}
		}, "a.engine is damaged"},
		"no manifest": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, manifestName)); err != nil {
				t.Fatal(err)
			}
		}, "no engine.json"},
		"bad manifest": {func(t *testing.T, dir string) { write(t, dir, manifestName, "{") }, "engine.json is damaged"},
		"foreign": {func(t *testing.T, dir string) {
			write(t, dir, manifestName, `{"key":{"model":"another"},"files":{}}`)
		}, "another model, GPU or library"},
	} {
		t.Run(name, func(t *testing.T) {
			var b builder
			var l lines
			cache := engineCache{t.TempDir(), l.log}
			if err := cache.use(t.Context(), key("m"), b.open); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, filepath.Join(cache.dir, key("m").name()))
			for range 2 {
				if err := cache.use(t.Context(), key("m"), b.open); err != nil {
					t.Fatal(err)
				}
			}
			if b.builds != 2 || b.loads != 1 {
				t.Errorf("%d builds and %d loads, want 2 and 1", b.builds, b.loads)
			}
			if text := strings.Join(l.all, "\n"); !strings.Contains(text, c.want) || !strings.Contains(text, "anew") {
				t.Errorf("log: %q, want %q", text, c.want)
			}
		})
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEnginesThatDoNotOpenAreBuiltAnew(t *testing.T) {
	var b builder
	var l lines
	c := engineCache{t.TempDir(), l.log}
	if err := c.use(t.Context(), key("m"), b.open); err != nil {
		t.Fatal(err)
	}
	b.refuse = errors.New("wrong TensorRT")
	if err := c.use(t.Context(), key("m"), b.open); err != nil || b.builds != 2 || !strings.Contains(strings.Join(l.all, ""), "wrong TensorRT") {
		t.Errorf("%v after %d builds, log %q", err, b.builds, l.all)
	}
	b.refuse = imgvec.ErrOutOfMemory // says nothing of the engine
	if err := c.use(t.Context(), key("m"), b.open); !errors.Is(err, imgvec.ErrOutOfMemory) || b.builds != 2 {
		t.Errorf("out of memory: %v after %d builds", err, b.builds)
	}
}

func TestABuildThatFailsLeavesNothing(t *testing.T) {
	c := engineCache{t.TempDir(), (&lines{}).log}
	failed := errors.New("no")
	err := c.use(t.Context(), key("m"), func(dir string, _ bool) error {
		write(t, dir, "half.engine", "x")
		return failed
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "locks" {
			t.Errorf("%s is left", e.Name())
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	hold := make(chan struct{})
	held := make(chan struct{})
	go func() {
		_ = c.use(context.Background(), key("m"), func(string, bool) error { close(held); <-hold; return failed })
	}()
	<-held
	if err := c.use(cancelled, key("m"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for another one: %v", err)
	}
	close(hold)
}

// TestAFullDiskIsNotThePrecisionsFault: nor is a folder that can't be written. A model that can't be converted is.
func TestAFullDiskIsNotThePrecisionsFault(t *testing.T) {
	full := notConverted(fmt.Errorf("weights: %w", &fs.PathError{Op: "write", Path: "x.onnx", Err: syscall.ENOSPC}))
	if errors.Is(full, imgvec.ErrPrecision) || !errors.Is(full, errCache) || !errors.Is(full, syscall.ENOSPC) || !strings.Contains(full.Error(), "--cache-dir") {
		t.Errorf("a full disk: %v", full)
	}
	if refused := notConverted(errors.New("opset 5")); !errors.Is(refused, imgvec.ErrPrecision) {
		t.Errorf("a model that can't be converted: %v", refused)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, filepath.Dir(file), "file", "")
	c := engineCache{filepath.Join(file, "cache"), (&lines{}).log}
	if err := c.use(t.Context(), key("m"), nil); !errors.Is(err, errCache) || isModelError(err) {
		t.Errorf("a cache below a file: %v", err)
	}
}
