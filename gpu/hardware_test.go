//go:build cuda && cgo && linux

package gpu_test

import (
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/cudasim"
	"github.com/imgvec/imgvec/internal/testdata"
)

// hardware makes sure that the GPU in use is the one that IMGVEC_GPU names: "real", or "simulated" to try these tests on a
// machine without one. They use nothing that only the simulated driver has. Run them alone (-test.run '^TestHardware'): a
// process has one driver.
func hardware(t *testing.T) gpu.Report {
	t.Helper()
	simulated := cudasim.Hardware(t)
	r := gpu.Look("")
	if !r.Usable {
		testdata.Require(t, "gpu", r.Error)
	}
	if r.Simulated != simulated {
		t.Fatalf("IMGVEC_GPU is not what the GPU is: %+v", r)
	}
	return r
}

// onProviders runs the test for each provider that this machine has; a TensorRT that is missing is a skip that says so.
func onProviders(t *testing.T, test func(t *testing.T, provider string)) {
	t.Helper()
	r := hardware(t)
	t.Run("cuda", func(t *testing.T) { test(t, gpu.CUDA) })
	t.Run("tensorrt", func(t *testing.T) {
		if !r.TensorRT.Usable {
			t.Skip("needs TensorRT: " + strings.SplitN(r.TensorRT.Error, "\n", 2)[0])
		}
		test(t, gpu.TensorRT)
	})
}

// TestHardwareAcceptance is the suite of every backend, in the model's forms.
func TestHardwareAcceptance(t *testing.T) {
	onProviders(t, func(t *testing.T, provider string) {
		for name, form := range map[string]struct {
			tiny      tiny.Options
			precision imgvec.Precision
			tol       backendtest.Tolerance
		}{
			"fp32":          {tiny.Options{}, imgvec.FP32, backendtest.FP32},
			"fp32 NHWC BGR": {tiny.Options{Layout: imgvec.NHWC, Order: imgvec.BGR}, imgvec.FP32, backendtest.FP32},
			"fp16":          {tiny.Options{}, imgvec.FP16, backendtest.FP16},
			"fp16 as given": {tiny.Options{DType: imgvec.Float16}, imgvec.FP16, backendtest.FP16},
		} {
			if provider == gpu.TensorRT && name != "fp16" {
				continue // an engine takes its time, and fp16 is what it is for
			}
			t.Run(name, func(t *testing.T) {
				path, spec := tiny.Write(t, form.tiny)
				opts := gpu.Options{Provider: provider, Precision: form.precision, Batch: 8, CacheDir: t.TempDir(), Log: func(s string) { t.Log(s) }}
				backendtest.Run(t, func(t *testing.T) imgvec.Backend { return open(t, path, spec, opts) }, form.tol)
			})
		}
	})
}

// TestHardwareFeatures holds the features to plain loops in float64.
func TestHardwareFeatures(t *testing.T) {
	onProviders(t, func(t *testing.T, provider string) {
		for precision, least := range map[imgvec.Precision]float64{imgvec.FP32: 0.9999999, imgvec.FP16: 0.9999} {
			if provider == gpu.TensorRT && precision == imgvec.FP32 {
				continue // refused: it would be TF32
			}
			path, spec := tiny.Write(t, tiny.Options{})
			b := open(t, path, spec, gpu.Options{Provider: provider, Precision: precision, Batch: 8})
			batch := backendtest.NewBatch(t, spec, 11, 5)
			if err := b.Run(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				want := tiny.Features(spec, batch.Image(i))
				if c := testdata.Cosine(batch.Features[i*spec.Dim:(i+1)*spec.Dim], narrow(want)); c < least {
					t.Errorf("%s, image %d: cosine %v, want at least %v", precision, i, c, least)
				}
			}
			t.Logf("%+v", b.Info())
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i := range v {
		out[i] = float32(v[i])
	}
	return out
}
