//go:build cgo

package cpu_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/ort"
)

const (
	core      = "libonnxruntime.so.1.30.0"
	pluginLib = "libonnxruntime_providers_openvino_plugin.so"
	cpuPlugin = "libopenvino_intel_cpu_plugin.so"
)

// ONNX Runtime's official builds write a device id, a database and a log unless told not to before they start.
func TestTelemetryIsOff(t *testing.T) {
	needs(t, cpu.OpenVINO)
	cache := t.TempDir()
	r := child(t, "open", "HOME="+cache, "XDG_CACHE_HOME="+cache, "TMPDIR="+cache, "ORT_DISABLE_TELEMETRY=")
	r.ran(t)
	err := filepath.WalkDir(cache, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("ONNX Runtime wrote %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Errors come back as values; a library must not write on its host's stderr.
func TestNothingOnStderr(t *testing.T) {
	needs(t, cpu.OpenVINO)
	if r := child(t, "open"); r.err != "" {
		t.Errorf("a good run wrote %q", r.err)
	}
	model, _ := tiny.Write(t, tiny.Options{})
	data, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	// An operator that nobody knows: the graph is read well, and refused by both providers.
	broken := filepath.Join(t.TempDir(), "broken.onnx")
	if err := os.WriteFile(broken, []byte(strings.ReplaceAll(string(data), "Relu", "Rely")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, provider := range append(providers, "") {
		r := child(t, "open", modelVariable+"="+broken, providerVariable+"="+provider)
		r.refused(t, "Rely")
		if r.err != "" {
			t.Errorf("%q: a model that does not load wrote %q", provider, r.err)
		}
		failing, _ := tiny.Write(t, tiny.Options{Output: tiny.Unnamed, Weird: tiny.FailsInRun})
		r = child(t, "open", modelVariable+"="+failing, providerVariable+"="+provider)
		r.refused(t)
		if r.err != "" {
			t.Errorf("%q: a model that does not run wrote %q", provider, r.err)
		}
	}
}

// Two sessions that pin their threads are pinned to the same core.
func TestThreadsAreNotPinned(t *testing.T) {
	path, spec := tiny.Write(t, tiny.Options{})
	for range 2 {
		features(t, open(t, path, spec, cpu.Options{Provider: cpu.OpenVINO, Precision: imgvec.FP32, Threads: 2}), 2, nil)
	}
	own := allowedCPUs(t, "/proc/self/status")
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) < 2 {
		t.Skip("no /proc")
	}
	for _, task := range tasks {
		if got := allowedCPUs(t, task); got != own && got != "" {
			t.Errorf("%s may run on %s, the process on %s", task, got, own)
		}
	}
}

func allowedCPUs(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		return "" // the thread ended
	}
	for line := range strings.Lines(string(text)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list)
		}
	}
	return ""
}

// A missing or damaged part of OpenVINO leaves ONNX Runtime's own provider, with the reason; dlopen of a cut file would
// kill the process.
func TestWithoutOpenVINO(t *testing.T) {
	needs(t, cpu.OpenVINO)
	preferred := cpu.Probe("").Provider == cpu.OpenVINO // on a CPU where it is not, nobody misses it
	for name, c := range map[string]struct {
		change map[string]string
		texts  []string
	}{
		"no plugin":       {map[string]string{pluginLib: ""}, []string{pluginLib, "imgvec setup"}},
		"no CPU part":     {map[string]string{cpuPlugin: ""}, []string{cpuPlugin, "imgvec setup"}},
		"no TBB":          {map[string]string{"libtbb.so.12": ""}, []string{"libtbb.so.12", "imgvec setup"}},
		"half a plugin":   {map[string]string{pluginLib: "half"}, []string{pluginLib, "damaged"}},
		"half a CPU part": {map[string]string{cpuPlugin: "half"}, []string{cpuPlugin, "damaged"}},
	} {
		t.Run(name, func(t *testing.T) {
			home := homeWith(t, c.change)
			info := child(t, "open", "IMGVEC_HOME="+home).ran(t)
			if info.Provider != "ONNX Runtime CPU" || info.Precision != imgvec.FP32 {
				t.Errorf("ran on %+v", info)
			}
			for _, text := range c.texts {
				if preferred && !strings.Contains(info.Reason, text) {
					t.Errorf("the reason does not say %q: %s", text, info.Reason)
				}
			}
			child(t, "open", "IMGVEC_HOME="+home, providerVariable+"="+cpu.OpenVINO).refused(t, append(c.texts, imgvec.ErrNoDevice.Error())...)
		})
	}
}

func TestWithoutONNXRuntime(t *testing.T) {
	needs(t, cpu.CPU)
	missing := homeWith(t, map[string]string{core: ""})
	child(t, "open", "IMGVEC_HOME="+missing).refused(t, filepath.Join(missing, "lib", "onnxruntime", core), "ONNX Runtime 1.30", "imgvec setup")
	child(t, "open", "IMGVEC_HOME="+homeWith(t, map[string]string{core: "half"})).refused(t, core, "damaged", "imgvec setup")
	child(t, "open", "ONNXRUNTIME_SHARED_LIBRARY_PATH=/nowhere/x.so").refused(t, "/nowhere/x.so", "ONNXRUNTIME_SHARED_LIBRARY_PATH")
	child(t, "open", "ONNXRUNTIME_SHARED_LIBRARY_PATH="+filepath.Join(installed(t), "libtbb.so.12")).refused(t, "OrtGetApiBase")
}

func TestLibraryByVariable(t *testing.T) {
	needs(t, cpu.CPU)
	info := child(t, "open", "IMGVEC_HOME="+t.TempDir(), "ONNXRUNTIME_SHARED_LIBRARY_PATH="+installed(t)).ran(t)
	if !strings.HasPrefix(info.Versions["onnxruntime"], "1.30") {
		t.Errorf("%+v", info)
	}
}

// An old library must be refused before it is asked for an API that it lacks: it would say so on stderr.
func TestWrongVersion(t *testing.T) {
	needs(t, cpu.CPU)
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	dir := t.TempDir()
	source := `#include <stdint.h>
struct base { const void *(*api)(uint32_t); const char *(*version)(void); };
static const void *api(uint32_t v) { (void)v; return 0; }
static const char *version(void) { return "1.20.1"; }
static struct base b = {api, version};
struct base *OrtGetApiBase(void) { return &b; }
`
	if err := os.WriteFile(filepath.Join(dir, "old.c"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(dir, "libonnxruntime.so.1.20.1")
	if out, err := exec.CommandContext(t.Context(), cc, "-shared", "-fPIC", "-o", library, filepath.Join(dir, "old.c")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	child(t, "open", "ONNXRUNTIME_SHARED_LIBRARY_PATH="+library).refused(t, "1.20.1", "1.30", library, "imgvec setup")
}

// A host program may have initialised onnxruntime_go before.
func TestHostInitialisedBefore(t *testing.T) {
	needs(t, cpu.CPU)
	if info := child(t, "host").ran(t); info.Versions["onnxruntime"] == "" {
		t.Errorf("%+v", info)
	}
}

func TestManyFirstOpens(t *testing.T) {
	needs(t, cpu.CPU)
	out := child(t, "many")
	out.ran(t)
}

// A program that forgets Close leaks, and goes on.
func TestForgottenBackend(t *testing.T) {
	needs(t, cpu.CPU)
	child(t, "forget").ran(t)
}

func TestSignalsAreLeftAlone(t *testing.T) {
	needs(t, cpu.CPU)
	child(t, "signals").ran(t)
}

// A library that was installed after a failure is found.
func TestInstalledAfterAFailure(t *testing.T) {
	needs(t, cpu.CPU)
	child(t, "start bad", "IMGVEC_HOME="+t.TempDir()).ran(t)
}

// What IMGVEC_OPENVINO says, on whatever CPU this is. The plugin by itself offers Intel's only.
func TestProbeOnThisCPU(t *testing.T) {
	needs(t, cpu.OpenVINO)
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip(err)
	}
	has := func(word string) bool { return strings.Contains(string(text), word) }
	intel, amx, zen4 := has("GenuineIntel"), has("amx_bf16"), has("AuthenticAMD") && has("avx512_bf16")
	for mode, usable := range map[string]bool{"": intel || zen4, "auto": intel || zen4, "intel": intel, "any": true, "off": false, "nonsense": false} {
		var report cpu.Report
		r := child(t, "probe", ort.OpenVINOVariable+"="+mode)
		if err := json.Unmarshal([]byte(r.out), &report); err != nil {
			t.Fatalf("%q: %v: %s%s", mode, err, r.out, r.err)
		}
		if report.OpenVINO.Usable != usable || usable == (report.OpenVINO.Error != "") {
			t.Errorf("%q: OpenVINO %+v, usable should be %v", mode, report.OpenVINO, usable)
		}
		if mode == "intel" && !intel && !strings.Contains(report.OpenVINO.Error, "Intel CPUs only") {
			t.Errorf("%q: reason %q", mode, report.OpenVINO.Error)
		}
		bf16 := usable && (amx || zen4)
		if got := report.Precision == imgvec.BF16; got != bf16 || bf16 && report.Provider != cpu.OpenVINO {
			t.Errorf("%q: auto is %s on %s: %s", mode, report.Precision, report.Provider, report.Reason)
		}
		if !report.CPU.Usable || report.Threads < 1 || report.Cores != runtime.NumCPU() || report.Features.Name == "" || len(report.Library.Tried) == 0 {
			t.Errorf("%q: %+v", mode, report)
		}
	}
}
