//go:build cuda && cgo && linux

package gpu_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/cudasim"
)

// simulated starts a simulated machine. At the test's end nothing may be left on it, and nothing may have gone wrong
// that a GPU would not tell.
func simulated(t *testing.T, devices int) *cudasim.Sim {
	t.Helper()
	sim := cudasim.Load(t)
	sim.Reset(devices)
	t.Cleanup(func() {
		for _, v := range sim.Violations() {
			t.Error("simulated driver: ", v)
		}
		if c := sim.Counters(); c.DeviceBytes != 0 || c.PinnedBytes != 0 || c.RegisteredBytes != 0 || c.Streams != 0 || c.Events != 0 || c.Modules != 0 {
			t.Errorf("left on the simulated devices: %+v", c)
		}
	})
	return sim
}

// open opens a model on a device, until the end of the test.
func open(t *testing.T, path string, spec imgvec.Spec, opts gpu.Options) *gpu.Backend {
	t.Helper()
	if opts.Device == "" {
		opts.Device = "cuda:0"
	}
	if opts.Precision == "" {
		opts.Precision = imgvec.FP32
	}
	if opts.CacheDir == "" {
		opts.CacheDir = t.TempDir()
	}
	b, err := gpu.Open(t.Context(), path, spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// TestSimulatedAcceptance is the suite of every backend on the simulated driver, in the model's forms.
func TestSimulatedAcceptance(t *testing.T) {
	for name, form := range map[string]struct {
		tiny tiny.Options
		opts gpu.Options
		tol  backendtest.Tolerance
	}{
		"fp32":          {tiny.Options{}, gpu.Options{Batch: 8}, backendtest.FP32},
		"fp32 NHWC BGR": {tiny.Options{Layout: imgvec.NHWC, Order: imgvec.BGR}, gpu.Options{Batch: 8}, backendtest.FP32},
		"fp32 uint8":    {tiny.Options{DType: imgvec.Uint8}, gpu.Options{Batch: 8}, backendtest.FP32},
		"fp32 batch 4":  {tiny.Options{Batch: 4}, gpu.Options{}, backendtest.FP32},
		"fp32 L2":       {tiny.Options{}, gpu.Options{Batch: 8, Normalize: true}, backendtest.FP32},
		"fp16 as given": {tiny.Options{DType: imgvec.Float16}, gpu.Options{Batch: 8, Precision: imgvec.FP16}, backendtest.FP16},
		"fp16":          {tiny.Options{}, gpu.Options{Batch: 8, Precision: imgvec.FP16}, backendtest.FP16},
		"one stream":    {tiny.Options{}, gpu.Options{Batch: 3, Streams: 1}, backendtest.FP32},
	} {
		t.Run(name, func(t *testing.T) {
			simulated(t, 1)
			path, spec := tiny.Write(t, form.tiny)
			backendtest.Run(t, func(t *testing.T) imgvec.Backend { return open(t, path, spec, form.opts) }, form.tol)
		})
	}
}

// TestSimulatedDevices runs the suite on every device of machines with several.
func TestSimulatedDevices(t *testing.T) {
	for _, n := range []int{2, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			simulated(t, n)
			path, spec := tiny.Write(t, tiny.Options{})
			names, err := gpu.Devices(nil)
			if err != nil || len(names) != n {
				t.Fatalf("%d devices: %v, %v", n, names, err)
			}
			next := 0
			backendtest.Run(t, func(t *testing.T) imgvec.Backend {
				next++
				return open(t, path, spec, gpu.Options{Device: names[next%n], Batch: 4})
			}, backendtest.FP32)
		})
	}
}

// TestSimulatedFeaturesAreTheCPUs holds the features of every form to those of the cpu backend.
func TestSimulatedFeaturesAreTheCPUs(t *testing.T) {
	for _, form := range []tiny.Options{
		{}, {Layout: imgvec.NHWC}, {Order: imgvec.BGR}, {DType: imgvec.Uint8}, {DType: imgvec.Uint8, Layout: imgvec.NHWC, Order: imgvec.BGR},
		{DType: imgvec.Float16}, {Size: 15},
	} {
		t.Run(fmt.Sprint(form), func(t *testing.T) {
			simulated(t, 1)
			path, spec := tiny.Write(t, form)
			precision := imgvec.FP32
			if form.DType == imgvec.Float16 {
				precision = imgvec.FP16
			}
			b := open(t, path, spec, gpu.Options{Precision: precision, Batch: 8})
			reference, err := cpu.Open(t.Context(), path, spec, cpu.Options{Precision: imgvec.FP32, Provider: cpu.CPU})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := reference.Close(); err != nil {
					t.Error(err)
				}
			}()
			got, want := backendtest.NewBatch(t, spec, 11, 11), backendtest.NewBatch(t, spec, 11, 11)
			if err := b.Run(t.Context(), got); err != nil {
				t.Fatal(err)
			}
			if b.Spec() != spec {
				t.Errorf("the spec is %+v, want %+v", b.Spec(), spec)
			}
			if err := reference.Run(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Features, want.Features) {
				t.Errorf("features of the simulated GPU differ: %v, want %v", got.Features[:8], want.Features[:8])
			}
		})
	}
}

func TestSimulatedIsSaid(t *testing.T) {
	simulated(t, 2)
	path, spec := tiny.Write(t, tiny.Options{})
	b := open(t, path, spec, gpu.Options{Device: "cuda:1"})
	half := open(t, path, spec, gpu.Options{Precision: imgvec.FP16})
	if half.Spec() != spec {
		t.Errorf("converted to float16, the model's spec is %+v, want %+v", half.Spec(), spec)
	}
	if i := b.Info(); !strings.Contains(i.Provider, "simulated") || !strings.Contains(i.Device, "Simulated") || !strings.HasPrefix(i.Device, "cuda:1") {
		t.Errorf("%+v", i)
	}
	if r := gpu.Look(""); !r.Usable || !r.Simulated || len(r.Devices) != 2 || !strings.Contains(r.Provider, "simulated") {
		t.Errorf("%+v", r)
	}
}

// TestSimulatedDamagedHalfModel cuts the converted model in the cache off.
func TestSimulatedDamagedHalfModel(t *testing.T) {
	simulated(t, 1)
	path, spec := tiny.Write(t, tiny.Options{})
	var said []string
	opts := gpu.Options{Precision: imgvec.FP16, Batch: 2, CacheDir: t.TempDir(), Log: func(s string) { said = append(said, s) }}
	open(t, path, spec, opts)
	files, err := filepath.Glob(filepath.Join(opts.CacheDir, "fp16", "*.onnx"))
	if err != nil || len(files) != 1 || len(said) != 0 {
		t.Fatalf("%v, %v, said %q", files, err, said)
	}
	if err := os.Truncate(files[0], 100); err != nil {
		t.Fatal(err)
	}
	b := open(t, path, spec, opts)
	if len(said) != 1 || !strings.Contains(said[0], "made anew") || !strings.Contains(said[0], files[0]) {
		t.Errorf("said %q", said)
	}
	if err := b.Run(t.Context(), backendtest.NewBatch(t, spec, 2, 2)); err != nil {
		t.Error(err)
	}
}
