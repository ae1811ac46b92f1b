//go:build cuda && cgo && linux

package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/cudasim"
	"github.com/imgvec/imgvec/internal/measure"
	"github.com/imgvec/imgvec/model"
)

// onSimulatedGPUs lets the commands that the test runs find the simulated driver.
func onSimulatedGPUs(t *testing.T) {
	t.Helper()
	t.Setenv("IMGVEC_CUDA_DRIVER", "") // back to what it was at the test's end
	cudasim.Load(t)
	needModel(t)
}

// TestSimulatedExtract: the same rows as on the CPU, and the file, the summary and the report say what computed them.
func TestSimulatedExtract(t *testing.T) {
	onSimulatedGPUs(t)
	tiny, dir, out := tinyModel(t), pictures(t, 12), t.TempDir()
	onGPU, onCPU, report := filepath.Join(out, "gpu.parquet"), filepath.Join(out, "cpu.parquet"), filepath.Join(out, "run.json")
	o := command(t, "extract", dir, "-o", onGPU, "--model", tiny, "--device", "auto", "--precision", "fp32", "--batch", "4", "--stats", report,
		"--cache-dir", filepath.Join(out, "cache"))
	o.want(t, 0, "12 images", "Simulated GPU 0", "simulated GPU", "fp32")
	if strings.Contains(o.stderr, "chose the CPU") {
		t.Error(o.stderr)
	}
	command(t, "extract", dir, "-o", onCPU, "--model", tiny, "--device", "cpu", "--precision", "fp32").want(t, 0)
	rows, meta, err := readRows(onGPU)
	must(t, err)
	want, _, err := readRows(onCPU)
	must(t, err)
	for i := range want {
		for k, v := range want[i].Features {
			if d := math.Abs(float64(rows[i].Features[k] - v)); d > 1e-4 {
				t.Fatalf("row %d, feature %d: %v, on the CPU %v", i, k, rows[i].Features[k], v)
			}
		}
	}
	for key, text := range map[string]string{"imgvec.device": "Simulated GPU", "imgvec.provider": "simulated GPU", "imgvec.precision": "fp32"} {
		if got, _ := meta.GetValue(key); !strings.Contains(got, text) {
			t.Errorf("%s is %q in the file's metadata", key, got)
		}
	}
	text, err := os.ReadFile(report)
	must(t, err)
	var r runReport
	must(t, json.Unmarshal(text, &r))
	for _, step := range []string{"h2d", "normalize", "session", "d2h"} {
		if r.Stages[step].Images != 12 {
			t.Errorf("step %s: %+v", step, r.Stages[step])
		}
	}
	if !strings.Contains(r.Device, "Simulated GPU") || r.Streams < 2 {
		t.Errorf("report: %+v", r)
	}
}

// TestSimulatedFallbackIsTold: a driver is there and no GPU can be used, which is told when the run begins, once.
func TestSimulatedFallbackIsTold(t *testing.T) {
	onSimulatedGPUs(t)
	tiny, dir := tinyModel(t), pictures(t, 2)
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o644))
	for _, c := range []struct {
		args, env []string
		want      string
	}{
		{nil, []string{"CUDA_VISIBLE_DEVICES=GPU-abc"}, `CUDA_VISIBLE_DEVICES is "GPU-abc"`},
		{[]string{"--cache-dir", filepath.Join(file, "cache")}, nil, "not a directory"},
	} {
		report := filepath.Join(t.TempDir(), "run.json")
		o := call{args: append([]string{"extract", dir, "-o", "x.npy", "--model", tiny, "--stats", report}, c.args...), env: c.env}.run(t)
		o.want(t, 0, "imgvec: device auto chose the CPU", c.want)
		first, _, _ := strings.Cut(o.stderr, "\n")
		if strings.Count(o.stderr, "chose the CPU") != 1 || !strings.Contains(first, "chose the CPU") || strings.Contains(first, ": imgvec: ") {
			t.Errorf("%s", o.stderr)
		}
		text, err := os.ReadFile(report)
		must(t, err)
		if strings.Count(string(text), "chose the CPU") != 1 {
			t.Errorf("the report: %s", text)
		}
		o = call{args: append([]string{"bench", "--model", tiny, "--rounds", "1", "--seconds", "0.01", "--scenario", "offline-u8"}, c.args...), env: c.env}.run(t)
		if o.want(t, 0, c.want); strings.Count(o.stderr, "chose the CPU") != 1 {
			t.Errorf("bench: %s", o.stderr)
		}
	}
	missing := []string{"IMGVEC_CUDA_DRIVER=" + filepath.Join(t.TempDir(), "libcuda.so.1")}
	o := call{args: []string{"extract", dir, "-o", "x.npy", "--model", tiny}, env: missing}.run(t)
	if o.want(t, 0); strings.Contains(o.stderr, "chose the CPU") && !gpuHere() {
		t.Errorf("a machine without a GPU: %s", o.stderr)
	}
}

// gpuHere tells whether this machine has a GPU, whatever driver a test names.
func gpuHere() bool {
	_, err := os.Stat("/dev/nvidiactl")
	return err == nil
}

func TestSimulatedDoctor(t *testing.T) {
	onSimulatedGPUs(t)
	o := command(t, "doctor", "--json")
	o.want(t, 0)
	var m measure.Machine
	must(t, json.Unmarshal([]byte(o.stdout), &m))
	if !m.GPU.Usable || !m.GPU.Simulated || len(m.GPU.Devices) == 0 || m.Auto.Device != "cuda" || m.Auto.Precision != "fp16" || !strings.Contains(m.Auto.Reason, "simulated") {
		t.Errorf("%s", o.stdout)
	}
	if o = command(t, "doctor"); !strings.Contains(o.stdout, "(simulated)") || !strings.Contains(o.stdout, "Simulated GPU 0") {
		t.Errorf("%s", o.stdout)
	}
}

// TestSimulatedDoctorForesees: what doctor says of a model whose features suffer from fp16 is what extract does.
func TestSimulatedDoctorForesees(t *testing.T) {
	onSimulatedGPUs(t)
	home := t.TempDir()
	must(t, os.Symlink(filepath.Join(os.Getenv("IMGVEC_HOME"), "lib"), filepath.Join(home, "lib")))
	for name, least := range map[string]float64{"good": 1, "bad": 0.9} {
		dir := filepath.Join(home, "models", name)
		must(t, os.CopyFS(dir, os.DirFS(tinyModel(t))))
		m, err := model.Open(dir, model.OpenOptions{})
		must(t, err)
		must(t, m.Record(model.Cosine{Provider: "ONNX Runtime CPU (simulated GPU)", Version: "1", Precision: "fp16", Min: least, Mean: 1, Pictures: 1}))
	}
	run := func(args ...string) outcome { return call{args: args, env: []string{"IMGVEC_HOME=" + home}}.run(t) }
	var m measure.Machine
	must(t, json.Unmarshal([]byte(run("doctor", "--json").stdout), &m))
	words := run("doctor").stdout
	want := map[string]string{"good": "fp16", "bad": "fp32"}
	for _, one := range m.Models {
		if one.Auto == nil || one.Auto.Device != "cuda" || string(one.Auto.Precision) != want[one.Name] || one.Name == "bad" != strings.Contains(one.Auto.Reason, "0.90000") {
			t.Errorf("%s: %+v", one.Name, one.Auto)
		}
		report := filepath.Join(t.TempDir(), "run.json")
		run("extract", pictures(t, 1), "-o", filepath.Join(t.TempDir(), "x.npy"), "--model", one.Name, "--stats", report).want(t, 0)
		text, err := os.ReadFile(report)
		must(t, err)
		var r runReport
		must(t, json.Unmarshal(text, &r))
		if r.Precision != want[one.Name] || !strings.Contains(r.Device, "cuda") {
			t.Errorf("extract with %s on %s in %s, doctor says %+v", one.Name, r.Device, r.Precision, one.Auto)
		}
		if !strings.Contains(words, "auto: cuda, ONNX Runtime CPU (simulated GPU), "+want[one.Name]) {
			t.Errorf("doctor does not say %s of %s:\n%s", want[one.Name], one.Name, words)
		}
	}
	if len(m.Models) != 2 || strings.Count(words, "cosine of 0.90000") != 1 {
		t.Errorf("%d models:\n%s", len(m.Models), words)
	}
}

// TestSimulatedVerify records nothing of a simulated GPU.
func TestSimulatedVerify(t *testing.T) {
	onSimulatedGPUs(t)
	tiny := tinyModel(t)
	command(t, "model", "verify", tiny).want(t, 0, "cuda: not measured: the driver is the simulated one")
	m, err := model.Open(tiny, model.OpenOptions{})
	must(t, err)
	for _, c := range m.Manifest.Cosines {
		if c.Provider == "cuda" || c.Provider == "tensorrt" {
			t.Errorf("recorded: %+v", c)
		}
	}
	if len(m.Manifest.Cosines) == 0 {
		t.Error("nothing was recorded of the CPU")
	}
}
