//go:build cgo

package cpu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yalue/onnxruntime_go"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/testdata"
)

// ONNX Runtime starts once a process, so what happens at its start is tested in processes of its own: this test's
// binary with the name of one of children in childVariable, and a model in modelVariable.
const (
	childVariable    = "IMGVEC_TEST_CHILD"
	modelVariable    = "IMGVEC_TEST_MODEL"
	providerVariable = "IMGVEC_TEST_PROVIDER"
)

var children = map[string]func() error{
	"open":      openInChild,
	"host":      func() error { return firstThen(initialiseAsHost, openInChild) },
	"many":      openManyInChild,
	"probe":     func() error { return json.NewEncoder(os.Stdout).Encode(cpu.Probe("")) },
	"forget":    forgetInChild,
	"signals":   signalsInChild,
	"start bad": func() error { return firstThen(failThenInstall, openInChild) },
}

func firstThen(first, then func() error) error {
	if err := first(); err != nil {
		return err
	}
	return then()
}

// openInChild opens the model, runs a batch, and prints what ran it.
func openInChild() error {
	info, err := openAndRun()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(info)
}

func openAndRun() (cpu.Info, error) {
	spec := tiny.Spec(tiny.Options{})
	backend, err := cpu.Open(context.Background(), os.Getenv(modelVariable), spec, cpu.Options{Provider: os.Getenv(providerVariable)})
	if err != nil {
		return cpu.Info{}, err
	}
	batch, err := imgvec.NewBatch(spec, make([]uint8, spec.ImageLen()), make([]float32, spec.Dim))
	if err != nil {
		return cpu.Info{}, err
	}
	batch.SetLen(1)
	if err := backend.Run(context.Background(), batch); err != nil {
		return cpu.Info{}, err
	}
	return backend.Info(), backend.Close()
}

// initialiseAsHost is what a program does that uses onnxruntime_go by itself.
func initialiseAsHost() error {
	onnxruntime_go.SetSharedLibraryPath(os.Getenv("IMGVEC_TEST_HOST_LIBRARY"))
	if err := os.Setenv("ORT_DISABLE_TELEMETRY", "1"); err != nil {
		return err
	}
	return onnxruntime_go.InitializeEnvironment()
}

// openManyInChild is the first use of the library from many goroutines at once.
func openManyInChild() error {
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		wg.Go(func() {
			_, err := openAndRun()
			errs <- err
		})
	}
	wg.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			return err
		}
	}
	return openInChild()
}

// forgetInChild leaves a backend to the garbage collector.
func forgetInChild() error {
	spec := tiny.Spec(tiny.Options{})
	backend, err := cpu.Open(context.Background(), os.Getenv(modelVariable), spec, cpu.Options{})
	if err != nil {
		return err
	}
	batch, err := imgvec.NewBatch(spec, make([]uint8, spec.ImageLen()), make([]float32, spec.Dim))
	if err != nil {
		return err
	}
	batch.SetLen(1)
	if err := backend.Run(context.Background(), batch); err != nil {
		return err
	}
	for range 3 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond) // finalizers run beside us
	}
	return openInChild()
}

func signalsInChild() error {
	before, err := caughtSignals()
	if err != nil {
		return err
	}
	if err := openInChild(); err != nil {
		return err
	}
	after, err := caughtSignals()
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("signals caught: %s before, %s after", before, after)
	}
	return nil
}

func caughtSignals() (string, error) {
	text, err := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if mask, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			return strings.TrimSpace(mask), err
		}
	}
	return "", err
}

// failThenInstall opens while the library is missing, and installs it afterwards.
func failThenInstall() error {
	if _, err := openAndRun(); err == nil {
		return fmt.Errorf("opened without a library")
	}
	dir := filepath.Join(os.Getenv("IMGVEC_HOME"), "lib")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Symlink(filepath.Dir(os.Getenv("IMGVEC_TEST_HOST_LIBRARY")), filepath.Join(dir, "onnxruntime"))
}

// result is what a child printed.
type result struct {
	out, err string
	failed   bool
	dead     string // how it died, if not by itself
}

// child runs a child on a tiny model, in its own empty home, cache and temporary folders plus env.
func child(t *testing.T, name string, env ...string) result {
	t.Helper()
	if _, ok := children[name]; !ok {
		t.Fatalf("no child %q", name)
	}
	model, _ := tiny.Write(t, tiny.Options{})
	empty := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(),
		childVariable+"="+name, modelVariable+"="+model, "IMGVEC_SYSTEM_LIBRARIES=off",
		"IMGVEC_TEST_HOST_LIBRARY="+filepath.Join(installed(t), "libonnxruntime.so.1.30.0"),
		"IMGVEC_HOME="+testdata.Home(t), "HOME="+empty, "XDG_CACHE_HOME="+empty, "TMPDIR="+empty)
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := result{out: stdout.String(), err: stderr.String(), failed: err != nil}
	if err != nil && cmd.ProcessState.ExitCode() != 1 {
		r.dead = err.Error()
	}
	return r
}

// ran is the Info of a child that must have succeeded.
func (r result) ran(t *testing.T) cpu.Info {
	t.Helper()
	var info cpu.Info
	if r.failed {
		t.Fatalf("failed (%s): %s%s", r.dead, r.out, r.err)
	}
	if err := json.Unmarshal([]byte(r.out), &info); err != nil {
		t.Fatalf("%q: %v", r.out, err)
	}
	return info
}

// refused checks that the child ended by itself with an error that holds texts.
func (r result) refused(t *testing.T, texts ...string) {
	t.Helper()
	if !r.failed || r.dead != "" {
		t.Fatalf("failed: %v, %s\n%s%s", r.failed, r.dead, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.out, text) {
			t.Errorf("the error does not say %q:\n%s", text, r.out)
		}
	}
}

func installed(t *testing.T) string {
	t.Helper()
	return filepath.Join(testdata.Home(t), "lib", "onnxruntime")
}

// homeWith makes a HOME whose libraries are links to the installed ones, but for those that change replaces: "" leaves a
// file out, "half" cuts it in the middle, anything else is what the link points to.
func homeWith(t *testing.T, change map[string]string) string {
	t.Helper()
	home := t.TempDir()
	dir := filepath.Join(home, "lib", "onnxruntime")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(installed(t), "*.so*"))
	if err != nil || len(files) == 0 {
		testdata.Require(t, "ort", "no libraries in "+installed(t))
	}
	for _, file := range files {
		name := filepath.Base(file)
		to, changed := change[name]
		switch {
		case !changed:
			err = os.Symlink(file, filepath.Join(dir, name))
		case to == "half":
			var data []byte
			if data, err = os.ReadFile(file); err == nil {
				err = os.WriteFile(filepath.Join(dir, name), data[:len(data)/2], 0o644)
			}
		case to != "":
			err = os.Symlink(to, filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return home
}
