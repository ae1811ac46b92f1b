//go:build cuda && cgo && linux

package cuda

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/cu"
)

// What the driver's functions answer before Start, in a process whose driver nobody has opened.
var (
	devicesBefore, errDevicesBefore = cu.NumDevices()
	_, errAllocBefore               = cu.MemAlloc(16)
	versionBefore                   = cu.Version()
)

func TestBeforeStartThereIsNoDriver(t *testing.T) {
	if devicesBefore != 0 || errDevicesBefore != nil {
		t.Errorf("devices: %d, %v; want 0, so that gorgonia.org/cu's init is content", devicesBefore, errDevicesBefore)
	}
	if codeOf(errAllocBefore) != int(cu.NotInitialized) || versionBefore != -1 {
		t.Errorf("allocate: %v, version %d; want not initialised", errAllocBefore, versionBefore)
	}
}

func TestStartNamesThePathsTried(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "libcuda.so.1")
	if _, _, err := start(places(missing)); err == nil || !strings.Contains(err.Error(), "$IMGVEC_CUDA_DRIVER names "+missing) {
		t.Errorf("a file that is not there: %v", err)
	}
	tried := places("")
	for module, remedy := range map[bool]string{false: "install NVIDIA's driver, 580 or newer", true: "start the container with --gpus all"} {
		err := notFound(tried, module)
		for _, part := range append([]string{remedy, "no NVIDIA driver"}, tried...) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("kernel module %v: %v lacks %q", module, err, part)
			}
		}
	}
	if tried[0] != "libcuda.so.1" {
		t.Errorf("the loader's own search comes first, not %s", tried[0])
	}
}

// driver makes a library that answers as a driver would.
func driver(t *testing.T, version, init, count string) string {
	t.Helper()
	code := `
int cuDriverGetVersion(int *v) { *v = ` + version + `; return 0; }
int cuInit(unsigned flags) { return ` + init + `; }
int cuDeviceGetCount(int *n) { *n = ` + count + `; return 0; }
int cuGetErrorName(int code, const char **s) { *s = "CUDA_ERROR_OF_THE_TEST"; return 0; }
int cuGetErrorString(int code, const char **s) { *s = "words of the test"; return 0; }
`
	dir := t.TempDir()
	source, library := filepath.Join(dir, "driver.c"), filepath.Join(dir, "libcuda.so.1")
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return library
}

func TestStartSaysWhatIsWrongWithADriver(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "libcuda.so.1")
	if err := os.WriteFile(damaged, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CUDA_VISIBLE_DEVICES", "7")
	for _, c := range []struct{ name, path, text string }{
		{"too old", driver(t, "11080", "0", "1"), "is for CUDA 11.8; needed is one for CUDA 12.0 or newer (ONNX Runtime needs 580 or newer)"},
		{"mismatch", driver(t, "13000", "803", "1"), "cuInit: CUDA_ERROR_OF_THE_TEST: words of the test (code 803); the driver's library and its kernel module"},
		{"hidden", driver(t, "13000", "100", "1"), `CUDA_VISIBLE_DEVICES is "7"`},
		{"no device", driver(t, "13000", "0", "0"), "no GPU is visible"},
		{"stub", driver(t, "13000", "34", "1"), "stub library"},
		{"no driver", "libm.so.6", "is no CUDA driver"},
		{"damaged", damaged, damaged},
	} {
		_, driver, err := start(places(c.path))
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v; want %q in it", c.name, err, c.text)
		}
		if c.name == "too old" && (driver.Version != 11080 || driver.Path == "") {
			t.Errorf("%s: what was found is %+v", c.name, driver)
		}
	}
	if n, err := cu.NumDevices(); process.library == nil && (n != 0 || err != nil) {
		t.Errorf("after failures: %d devices, %v; the slots must be as they were", n, err)
	}
}
