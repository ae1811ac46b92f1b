//go:build cuda && cgo && linux

package main

import (
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/cudasim"
	"github.com/imgvec/imgvec/internal/testdata"
)

func init() { buildFlags = []string{"-tags", "cuda"} }

// TestTheCommandLinksNoDriver looks into the command that all these tests run, so that it starts on a machine without.
func TestTheCommandLinksNoDriver(t *testing.T) {
	file, err := elf.Open(binary)
	must(t, err)
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	must(t, err)
	for _, name := range libraries {
		if !slices.Contains([]string{"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "libresolv.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}, name) {
			t.Errorf("the command needs %s to start", name)
		}
	}
	dynamic, err := file.DynamicSymbols()
	must(t, err)
	for i := range dynamic {
		if driverName(dynamic[i].Name) {
			t.Errorf("the command shares its own %s: ONNX Runtime's providers would bind to it and not to the driver's", dynamic[i].Name)
		}
	}
	all, err := file.Symbols()
	must(t, err)
	hidden := 0
	for i := range all {
		switch s := &all[i]; {
		case !driverName(s.Name) || strings.HasPrefix(s.Name, "cuAllocAndCopy") || strings.HasPrefix(s.Name, "cuDeviceGetAttributes") || strings.HasPrefix(s.Name, "cuLaunchAndSync"):
			// The last three are gorgonia.org/cu's own, and no names of the driver's.
		case elf.ST_BIND(s.Info) != elf.STB_LOCAL && elf.ST_VISIBILITY(s.Other) != elf.STV_HIDDEN:
			t.Errorf("%s is not hidden", s.Name)
		default:
			hidden++
		}
	}
	if hidden < 100 {
		t.Errorf("%d names of the driver's found: is the command built with the tag?", hidden)
	}
}

func driverName(s string) bool {
	return len(s) > 2 && strings.HasPrefix(s, "cu") && s[2] >= 'A' && s[2] <= 'Z'
}

// TestNoDriverCallBeforeAGPUIsAskedFor runs the command with the simulated driver, which writes each call down.
func TestNoDriverCallBeforeAGPUIsAskedFor(t *testing.T) {
	t.Setenv("IMGVEC_CUDA_DRIVER", "") // back to what it was at the test's end: other tests want no GPU
	cudasim.Load(t)
	log := filepath.Join(t.TempDir(), "calls")
	env := []string{"IMGVEC_SIM_LOG=" + log}
	calls := func() string {
		text, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, args := range [][]string{{"version"}, {"--help"}, {"extract", "--help"}, {"model", "list"}} {
		if got := (call{args: args, env: env}).run(t); got.code != 0 {
			t.Errorf("%v: %+v", args, got)
		}
	}
	env = append(env, "IMGVEC_HOME="+testdata.Home(t))
	images := samples(t, env)
	if got := (call{args: []string{"extract", images, "--device", "cpu", "--model", tinyModel(t), "--output", "f.npy"}, env: env}).run(t); got.code != 0 {
		t.Errorf("extract on the CPU: %+v", got)
	}
	if text := calls(); text != "" {
		t.Errorf("driver calls where no GPU was asked for:\n%s", text)
	}
	(call{args: []string{"doctor"}, env: env}).run(t)
	if calls() == "" {
		t.Error("doctor made no driver call: the log does not tell")
	}
}

// TestWithoutADriverTheCommandSaysSo asks for a GPU by name where there is no driver.
func TestWithoutADriverTheCommandSaysSo(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "libcuda.so.1")
	env := []string{"IMGVEC_CUDA_DRIVER=" + missing, "IMGVEC_HOME=" + testdata.Home(t)}
	got := call{args: []string{"extract", samples(t, env), "--device", "cuda:0", "--model", tinyModel(t), "--output", "f.npy"}, env: env}.run(t)
	if got.code == 0 || !strings.Contains(got.stderr, missing) || !strings.Contains(got.stderr, "NVIDIA") {
		t.Errorf("%+v", got)
	}
}

// samples draws some pictures.
func samples(t *testing.T, env []string) string {
	t.Helper()
	images := t.TempDir()
	if got := (call{args: []string{"setup", "--samples", images}, env: env}).run(t); got.code != 0 {
		t.Fatalf("samples: %+v", got)
	}
	return images
}
