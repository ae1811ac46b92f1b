package cpu_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/testdata"
)

func imageNet() imgvec.Preset {
	return imgvec.Preset{
		InputSize: imgvec.Size{Height: 224, Width: 224}, CropMode: imgvec.CropCenter, ResizeSize: 256,
		CropRound: imgvec.CropHalfEven, Interpolation: imgvec.Bilinear, Scale: 255,
		Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
	}
}

func spec(input, feature string, dim int) imgvec.Spec {
	return imgvec.Spec{Model: feature, Input: input, Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: feature, Dim: dim, Preset: imageNet()}
}

// needs ends the test where the machine lacks the provider.
func needs(t testing.TB, provider string) {
	t.Helper()
	home := testdata.Home(t)
	if provider == cpu.OpenVINO {
		if _, err := os.Stat(filepath.Join(home, "lib", "onnxruntime", "libonnxruntime_providers_openvino_plugin.so")); err != nil {
			testdata.Require(t, "openvino", err.Error())
		}
	}
}

func open(t testing.TB, path string, spec imgvec.Spec, opts cpu.Options) *cpu.Backend {
	t.Helper()
	needs(t, opts.Provider)
	backend, err := cpu.Open(t.Context(), path, spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	})
	return backend
}

var providers = []string{cpu.OpenVINO, cpu.CPU}

// The crops and features of 12 photos, made by PyTorch on the same weights.
func TestResNetAgreesWithPyTorch(t *testing.T) {
	arrays := testdata.NPZ(t, "refs/resnet50-abm__torch1.13_12images.npz")
	for name, a := range arrays {
		t.Log(name, a.Shape)
	}
	for _, provider := range providers {
		b := open(t, testdata.Path(t, "models/resnet50-pruned-int8w.onnx"), spec("input", "features", 2048), cpu.Options{Provider: provider})
		t.Logf("%+v", b.Info())
		batch := backendtest.NewBatch(t, b.Spec(), 3, 3)
		if err := b.Run(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		t.Log(batch.Feature(0)[:5])
	}
}
