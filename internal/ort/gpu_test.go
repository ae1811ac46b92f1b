package ort

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

// fakeHome is a HOME with files that are whole libraries (this program), below lib/.
func fakeHome(t *testing.T, files ...string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, file := range files {
		path := filepath.Join(dir, "lib", file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(home.Env, dir)
	t.Setenv(home.SystemEnv, "off")
	for _, name := range LibraryVariables {
		t.Setenv(name, "")
	}
	return dir
}

const (
	gpuCore = kindGPU + "/libonnxruntime.so.1.30.0"
	cpuCore = kind + "/libonnxruntime.so.1.30.0"
)

// The build for GPUs is the core where a driver may be, the CPU's elsewhere; each does where the other is not.
func TestWhichCore(t *testing.T) {
	for name, c := range map[string]struct {
		driver string
		files  []string
		want   string
	}{
		"driver, both":            {"libcuda.so.1", []string{gpuCore, kindGPU + "/" + cudaFile, cpuCore}, gpuCore},
		"driver, CPU's":           {"libcuda.so.1", []string{cpuCore}, cpuCore},
		"driver, GPUs' in halves": {"libcuda.so.1", []string{gpuCore, cpuCore}, cpuCore},
		"no driver, both":         {"", []string{gpuCore, kindGPU + "/" + cudaFile, cpuCore}, cpuCore},
		"no driver, GPUs'":        {"", []string{gpuCore, kindGPU + "/" + cudaFile}, gpuCore},
		"nothing":                 {"libcuda.so.1", nil, ""},
	} {
		dir := fakeHome(t, c.files...)
		t.Setenv(DriverVariable, c.driver)
		if c.driver == "" && gpuPossible(driverFiles) {
			continue // this machine has one
		}
		found, err := findCore("")
		if c.want == "" {
			if !errors.Is(err, imgvec.ErrNoRuntime) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if want := filepath.Join(dir, "lib", c.want); err != nil || found.Path != want || !slices.Contains(found.Tried, want) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}

// What is damaged among the GPU's libraries does not take the CPU away.
func TestADamagedCoreForGPUsIsPassedOver(t *testing.T) {
	dir := fakeHome(t, gpuCore, kindGPU+"/"+cudaFile, cpuCore)
	t.Setenv(DriverVariable, "libcuda.so.1")
	damaged := filepath.Join(dir, "lib", gpuCore)
	if err := os.Truncate(damaged, 1000); err != nil {
		t.Fatal(err)
	}
	found, err := findCore("")
	if err != nil || found.Path != filepath.Join(dir, "lib", cpuCore) || !strings.Contains(strings.Join(found.Tried, "\n"), damaged+" (not used: ") {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestGPUPossible(t *testing.T) {
	t.Setenv(DriverVariable, "")
	dir := t.TempDir()
	patterns := []string{filepath.Join(dir, "dxg"), filepath.Join(dir, "nvidia[0-9]*")}
	for _, c := range []struct {
		file string
		want bool
	}{{"nvidiactl", false}, {"nvidia3", true}} {
		if err := os.WriteFile(filepath.Join(dir, c.file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if gpuPossible(patterns) != c.want {
			t.Errorf("with %s: %v", c.file, !c.want)
		}
	}
}

// OpenVINO's plugin is found with the build for GPUs as the core, also where an option names that.
func TestPluginBesideTheBuildForGPUs(t *testing.T) {
	files := []string{gpuCore, kind + "/" + pluginFile}
	for _, file := range pluginNeeds {
		files = append(files, kind+"/"+strings.ReplaceAll(file, "*", "2641"))
	}
	dir := fakeHome(t, files...)
	core := filepath.Join(dir, "lib", gpuCore)
	for _, option := range []string{"", core, filepath.Dir(core)} {
		found, err := findPlugin(core, option)
		if err != nil || filepath.Base(found.Path) != pluginFile {
			t.Errorf("option %q: %+v, %v", option, found, err)
		}
	}
}

func TestVersionsOfParts(t *testing.T) {
	for _, c := range []struct {
		file    string
		version int
		words   string
		fits    bool
	}{
		{"libcuda.so.1", 12080, "CUDA 12.8", false},
		{"libcuda.so.1", 13020, "CUDA 13.2", true},
		{"libcudart.so.13", 13000, "13.0", true},
		{"libcudart.so.13", 12090, "12.9", false},
		{"libcudnn.so.9", 91400, "9.14.0", true},
		{"libcudnn.so.9", 8907, "0.89.7", false},
		{"libnvinfer.so.10", 101501, "10.15.1", true},
		{"libnvinfer.so.10", 110000, "11.0.0", false},
	} {
		parts, _ := partsOf(TensorRT)
		i := slices.IndexFunc(parts, func(p part) bool { return p.file == c.file })
		if i < 0 {
			t.Errorf("%s is no part", c.file)
			continue
		}
		why := parts[i].fits(c.version)
		if got := parts[i].tell.words(c.version); got != c.words || (why == "") != c.fits || !c.fits && !strings.Contains(why, c.words) {
			t.Errorf("%s %d: %q, %q", c.file, c.version, got, why)
		}
	}
}

func TestWhatAProviderLacks(t *testing.T) {
	err := lacks(TensorRT, []problem{{"cuDNN 9", "not found", getGPU}, {"the driver", "this one is CUDA 12.8", getDriver}}, []string{"/a", "/b"})
	want := `imgvec: ONNX Runtime's TensorRT provider lacks cuDNN 9, the driver: native library not usable:
  cuDNN 9: not found: run "imgvec setup --gpu"
  the driver: this one is CUDA 12.8: install NVIDIA's driver; in a container, start it with access to the GPUs
tried:
  /a
  /b`
	var short *Unusable
	if err.Error() != want || !errors.Is(err, imgvec.ErrNoRuntime) || !errors.As(err, &short) || short.Short != "ONNX Runtime's TensorRT provider lacks cuDNN 9, the driver" {
		t.Errorf("%v", err)
	}
}

func TestNearCore(t *testing.T) {
	for _, c := range []struct {
		environment Environment
		want        []string
	}{
		{Environment{Path: "/opt/ort/libonnxruntime.so.1", By: "option"}, []string{"/opt/ort"}},
		{Environment{Path: "/h/lib/onnxruntime-gpu/libonnxruntime.so.1", By: LibraryVariables[1]}, []string{"/h/lib/onnxruntime-gpu", "/h/lib/cuda", "/h/lib/tensorrt"}},
		{Environment{Path: "/h/lib/onnxruntime-gpu/libonnxruntime.so.1", By: "cache"}, nil},
		{Environment{By: "host program"}, nil},
	} {
		if got := nearCore(c.environment); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c.environment, got)
		}
	}
}
