//go:build cgo

package onnx_test

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/float16"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/internal/testdata"
)

// features are those of n pictures on ONNX Runtime's CPU provider, or of the pixels given.
func features(t *testing.T, path string, spec imgvec.Spec, n int, pixels []uint8) *imgvec.Batch {
	t.Helper()
	testdata.Home(t)
	if report := cpu.Probe(""); report.Error != "" {
		testdata.Require(t, "ort", report.Error)
	}
	backend, err := cpu.Open(t.Context(), path, spec, cpu.Options{Provider: cpu.CPU, Precision: imgvec.FP32})
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close() //nolint:errcheck // tested elsewhere
	batch := backendtest.NewBatch(t, spec, n, n)
	copy(batch.Pixels, pixels)
	if err := backend.Run(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return batch
}

// half converts the model at path and gives the new one's path.
func half(t *testing.T, path, input string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(file, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "half.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	opts := onnx.HalfOptions{Input: input, Open: func(name string) (io.ReadSeekCloser, error) {
		return os.Open(filepath.Join(filepath.Dir(path), name))
	}}
	check, err := m.CheckHalf(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(check)
	if err := m.Half(out, opts); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}

// compare runs a model as it is and in float16, with inputs of both types, and gives the least cosine of an image.
func compare(t *testing.T, path string, spec imgvec.Spec, n int, pixels []uint8) (least float64) {
	t.Helper()
	want := features(t, path, spec, n, pixels)
	least = 1
	declared := spec.DType
	inputs := []string{""}
	if spec.DType == imgvec.Float32 {
		inputs = append(inputs, spec.Input)
	}
	for _, input := range inputs {
		if input != "" {
			spec.DType = imgvec.Float16
		}
		converted := half(t, path, input)
		least = math.Min(least, leastCosine(features(t, converted, spec, n, pixels), want))
	}
	spec.DType = declared
	if spec.DType == imgvec.Float32 { // the image that Emulate takes is rounded by nobody, as its type is float32
		emulated := filepath.Join(t.TempDir(), "emulated.onnx")
		file, err := os.ReadFile(half(t, path, ""))
		if err == nil {
			err = os.WriteFile(emulated, onnx.Emulate(t, file), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		rounded := leastCosine(features(t, emulated, spec, n, pixels), want)
		t.Logf("cosine with weights rounded %.7f, with all values rounded %.7f", least, rounded)
		least = math.Min(least, rounded)
	}
	return least
}

// leastCosine is NaN where a feature is.
func leastCosine(got, want *imgvec.Batch) float64 {
	least := 1.0
	for i := range want.Len() {
		least = math.Min(least, testdata.Cosine(got.Feature(i), want.Feature(i)))
	}
	return least
}

func preset(side int) imgvec.Preset {
	return imgvec.Preset{
		InputSize: imgvec.Size{Height: side, Width: side}, CropMode: imgvec.CropCenter, ResizeSize: side,
		CropRound: imgvec.CropHalfEven, Interpolation: imgvec.Bilinear, Scale: 255,
		Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
	}
}

func TestHalfGraphsCompute(t *testing.T) {
	for _, c := range onnx.HalfCases() {
		t.Run(c.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := os.WriteFile(path, c.File, 0o644); err != nil {
				t.Fatal(err)
			}
			spec := imgvec.Spec{
				Model: c.Name, Input: "image", Layout: imgvec.NCHW, DType: imgvec.DType(c.Elem.String()), Feature: "features", Dim: c.Dim, Preset: preset(8),
			}
			if c.NHWC {
				spec.Layout = imgvec.NHWC
			}
			if least := compare(t, path, spec, 5, nil); !(least >= 0.9999) {
				t.Errorf("cosine %.6f", least)
			}
		})
	}
}

func TestHalfOfTinyModels(t *testing.T) {
	for name, opts := range map[string]tiny.Options{
		"plain":       {},
		"NHWC":        {Layout: imgvec.NHWC},
		"bytes":       {DType: imgvec.Uint8},
		"pooled":      {Output: tiny.Pooled},
		"tokens":      {Output: tiny.Tokens},
		"unnamed":     {Output: tiny.Unnamed},
		"stored int8": {Weird: tiny.StoredInt8},
		"fixed batch": {Batch: 4},
	} {
		t.Run(name, func(t *testing.T) {
			path, spec := tiny.Write(t, opts)
			if least := compare(t, path, spec, 4, nil); !(least >= 0.99999) {
				t.Errorf("cosine %.7f", least)
			}
		})
	}
}

func TestEmulatedRounding(t *testing.T) {
	spec := imgvec.Spec{Input: "image", Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: "features", Dim: 192, Preset: preset(8)}
	table := spec.Preset.Table()
	for _, factor := range []float32{1, 1e-5, 1e-8, 300, 40000} {
		path := filepath.Join(t.TempDir(), "rounding.onnx")
		if err := os.WriteFile(path, onnx.RoundingFile(factor), 0o644); err != nil {
			t.Fatal(err)
		}
		batch := features(t, path, spec, 3, nil)
		for i := range 3 {
			for k, got := range batch.Feature(i) {
				x := table[k/64][batch.Image(i)[k%64*3+k/64]] * factor
				want, infinite := float16.To(float16.From(x)), math.Abs(float64(x)) >= 65520
				slack := 0.0
				if math.Abs(float64(x)) < 0x1p-14 {
					slack = 0x1p-24 // it is rounded twice there
				}
				if infinite == (math.Abs(float64(got)) <= math.MaxFloat32) || !infinite && !(math.Abs(float64(got-want)) <= slack) {
					t.Fatalf("%v is rounded to %v, expected %v", x, got, want)
				}
			}
		}
	}
}

func TestHalfOfRealModels(t *testing.T) {
	for _, c := range []struct {
		path, feature string
		dim           int
		least         float64
	}{
		{installed("efficientnet-lite0"), "features", 1280, 0.9999},
		{installed("resnet50-random"), "features", 2048, 0.9999},
		{testdata.Path(t, "models/resnet50-pruned-int8w.onnx"), "features", 2048, 0.9999},
		{testdata.Path(t, "models/squeezenet1.1.onnx"), "features", 512, 0.9999},
	} {
		t.Run(filepath.Base(filepath.Dir(c.path))+"/"+filepath.Base(c.path), func(t *testing.T) {
			if _, err := os.Stat(c.path); err != nil {
				testdata.Require(t, "models", err.Error())
			}
			spec := imgvec.Spec{Model: c.path, Input: "input", Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: c.feature, Dim: c.dim, Preset: preset(224)}
			if least := compare(t, c.path, spec, 4, testdata.NPZ(t, "refs/resnet50-abm__torch1.13_12images.npz")["rgb224"].Bytes); !(least >= c.least) {
				t.Errorf("cosine %.7f", least)
			}
		})
	}
}

func installed(name string) string { return filepath.Join(home.Dir(), "models", name, "model.onnx") }

func TestRealModelsThatStayAsTheyAre(t *testing.T) {
	for file, want := range map[string]error{"mobilenetv2-12-int8.onnx": onnx.ErrQuantised, "squeezenet-fp16-bgr.onnx": onnx.ErrAlreadyHalf} {
		f, err := os.Open(testdata.Path(t, "models/"+file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		m, err := onnx.Parse(f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Half(io.Discard, onnx.HalfOptions{}); !errors.Is(err, want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
