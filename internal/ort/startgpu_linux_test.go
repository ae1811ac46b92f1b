//go:build cgo && linux

package ort

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/testdata"
)

// Without a GPU, StartGPU tells every piece and the process lives on: a provider is not opened before its parts.
func TestStartGPUWithoutAGPU(t *testing.T) {
	t.Setenv(DriverVariable, filepath.Join(t.TempDir(), "libcuda.so.1"))
	t.Setenv(home.SystemEnv, "off")
	testdata.Home(t)
	if _, err := Start(""); err != nil {
		testdata.Require(t, "ort", err.Error())
	}
	if _, ok := openedLibrary("libcuda.so.1"); ok {
		t.Skip("a driver is open in this process")
	}
	for provider, want := range map[GPUProvider][]string{
		CUDA:     {"NVIDIA's driver"},
		TensorRT: {"NVIDIA's driver", "libnvinfer.so.10", "libnvonnxparser.so.10", "NVIDIA's TensorRT 10"},
	} {
		libraries, err := StartGPU(provider, "")
		var short *Unusable
		if !errors.Is(err, imgvec.ErrNoRuntime) || !errors.As(err, &short) || strings.Contains(short.Short, "\n") || len(libraries.Tried) == 0 {
			t.Fatalf("%s: %+v, %v", provider, libraries, err)
		}
		for _, text := range want {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: nothing about %s in %v", provider, text, err)
			}
		}
	}
	if libraries, err := StartGPU(Host, ""); err != nil || !strings.Contains(libraries.Provider, "simulated") {
		t.Errorf("host: %+v, %v", libraries, err)
	}
}

// aLibrary is a small library that opens without others.
func aLibrary(t *testing.T) []byte {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(testdata.Home(t), "lib", "codecs", "libsharpyuv-*"))
	if err != nil || len(found) != 1 {
		testdata.Require(t, "codecs", "no libsharpyuv")
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A part is taken from the folder that is near before HOME's; one that is damaged is an error and no other is tried.
func TestFindPart(t *testing.T) {
	data := aLibrary(t)
	t.Setenv(home.Env, t.TempDir())
	t.Setenv(home.SystemEnv, "off")
	write := func(dir, file string, data []byte) string {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, file)
		_ = os.Remove(path) // one that is open must not change
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := part{name: "a part", file: "libimgvec-a-part.so.13", kind: kindCUDA, get: getGPU, before: "libimgvec-first*", beside: []string{"libimgvec-beside.so"}}
	s := starter{near: []string{t.TempDir()}}
	if _, err := s.find(p); !errors.Is(err, home.ErrSystemHidden) {
		t.Errorf("nowhere: %v", err)
	}
	atHome := write(filepath.Join(home.Dir(), "lib", kindCUDA), p.file, data)
	if lib, err := s.find(p); err != nil || lib.path != atHome || !lib.has("SharpYuvInit") || lib.has("SharpYuvNot") {
		t.Errorf("at home: %+v, %v", lib, err)
	}
	near := write(s.near[0], p.file, data)
	if lib, err := s.find(p); err != nil || lib.path != near {
		t.Errorf("near: %+v, %v", lib, err)
	}
	first := write(s.near[0], "libimgvec-first.so", data)
	if _, err := s.find(p); err != nil {
		t.Error(err)
	}
	if lib, err := dlopen(first, 1); err != nil || lib.path != first {
		t.Errorf("what it looks for was not opened: %v", err)
	}
	s.openPart(p)
	if len(s.problems) != 1 || !strings.Contains(s.problems[0].what, "libimgvec-beside.so") {
		t.Errorf("problems: %+v", s.problems)
	}
	write(s.near[0], p.file, data[:len(data)/2])
	if _, err := s.find(p); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged: %v", err)
	}
}

func TestTensorRTKeepsOneGraph(t *testing.T) {
	for provider, want := range map[GPUProvider]bool{CUDA: true, TensorRT: false} {
		s := DeviceSession{opts: DeviceOptions{Provider: provider, Graph: true}}
		for _, graph := range []int{0, 1, 0, 1} {
			if err := s.mayCapture(graph); err != nil {
				t.Errorf("%s, graph %d: %v", provider, graph, err)
			}
		}
		if err := s.mayCapture(2); (err == nil) != want {
			t.Errorf("%s, two graphs: %v", provider, err)
		}
	}
}
