//go:build cgo

package cpu_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/testdata"
)

// The least cosine of features with those of another engine on the same weights.
const (
	cosineFP32 = 0.99999
	cosineBF16 = 0.9995
	cosineINT8 = 0.95 // two int8 engines on pictures; they round differently
)

func imageNet() imgvec.Preset {
	return imgvec.Preset{
		InputSize: imgvec.Size{Height: 224, Width: 224}, CropMode: imgvec.CropCenter, ResizeSize: 256,
		CropRound: imgvec.CropHalfEven, Interpolation: imgvec.Bilinear, Scale: 255,
		Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
	}
}

func specOf(input, feature string, dim int) imgvec.Spec {
	return imgvec.Spec{Model: feature, Input: input, Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: feature, Dim: dim, Preset: imageNet()}
}

// crops are 12 photos as RGB pixels, and the features of ResNet-50 that PyTorch 1.13 computed for them.
func crops(t *testing.T) (pixels []uint8, want testdata.Array) {
	t.Helper()
	arrays := testdata.NPZ(t, "refs/resnet50-abm__torch1.13_12images.npz")
	return arrays["rgb224"].Bytes, arrays["features"]
}

func TestResNetAgreesWithPyTorch(t *testing.T) {
	pixels, want := crops(t)
	for _, provider := range providers {
		for precision, least := range map[imgvec.Precision]float64{imgvec.FP32: cosineFP32, imgvec.BF16: cosineBF16} {
			t.Run(provider+"/"+string(precision), func(t *testing.T) {
				if precision == imgvec.BF16 && (provider == cpu.CPU || !cpu.Probe("").Features.AMXBF16) {
					t.Skip("bf16 needs OpenVINO and a CPU with AMX-BF16")
				}
				b := open(t, testdata.Path(t, "models/resnet50-pruned-int8w.onnx"), specOf("input", "features", 2048),
					cpu.Options{Provider: provider, Precision: precision})
				if got := b.Info().Precision; got != precision {
					t.Errorf("opened in %s", got)
				}
				agree(t, features(t, b, 12, pixels), want, least)
			})
		}
	}
}

// agree checks every image of a batch against its row.
func agree(t *testing.T, batch *imgvec.Batch, want testdata.Array, least float64) {
	t.Helper()
	for i := range batch.Len() {
		if cosine := testdata.Cosine(batch.Feature(i), want.Row(i)); !(cosine >= least) {
			t.Errorf("photo %d: cosine %.7f", i, cosine)
		}
	}
}

// The model stores int8 weights. Where OpenVINO dequantised them itself, most sessions with two streams gave garbage, all
// their life and on every stream: so there are several sessions here, and both streams of each run at once.
func TestStoredInt8WeightsOnTwoStreams(t *testing.T) {
	pixels, want := crops(t)
	for range 5 {
		b := open(t, testdata.Path(t, "models/resnet50-pruned-int8w.onnx"), specOf("input", "features", 2048),
			cpu.Options{Provider: cpu.OpenVINO, Precision: imgvec.FP32, Threads: 2, Streams: 2})
		var wg sync.WaitGroup
		for range 2 {
			batch := backendtest.NewBatch(t, b.Spec(), 1, 1)
			copy(batch.Pixels, pixels)
			wg.Go(func() {
				if err := b.Run(t.Context(), batch); err != nil {
					t.Error(err)
				}
				agree(t, batch, want, cosineFP32)
			})
		}
		wg.Wait()
	}
}

// Both providers compute the same on the other real models: fp32, float16 with a fixed batch of 1 and BGR, quantised.
func TestProvidersAgree(t *testing.T) {
	pixels, _ := crops(t)
	half := specOf("data_0", "softmaxout_1", 1000)
	half.DType = imgvec.Float16
	half.Preset.Scale, half.Preset.Mean, half.Preset.Std = 1, [3]float32{123, 117, 104}, [3]float32{1, 1, 1}
	half.Preset.ChannelOrder = imgvec.BGR
	for _, c := range []struct {
		file      string
		spec      imgvec.Spec
		least     float64
		precision imgvec.Precision
	}{
		{"squeezenet1.1.onnx", specOf("input", "features", 512), cosineFP32, imgvec.FP32},
		{"squeezenet-fp16-bgr.onnx", half, cosineFP32, imgvec.FP32},
		{"mobilenetv2-12-int8.onnx", specOf("input", "output", 1000), cosineINT8, imgvec.INT8},
	} {
		t.Run(c.file, func(t *testing.T) {
			path := testdata.Path(t, "models/"+c.file)
			var batches []*imgvec.Batch
			for _, provider := range providers {
				b := open(t, path, c.spec, cpu.Options{Provider: provider, Streams: 2})
				if got := b.Info().Precision; got != c.precision && !cpu.Probe("").Features.AMXBF16 {
					t.Errorf("%s opened in %s", provider, got)
				}
				batches = append(batches, features(t, b, 12, pixels))
			}
			for i := range 12 {
				if cosine := testdata.Cosine(batches[0].Feature(i), batches[1].Feature(i)); cosine < c.least {
					t.Errorf("photo %d: cosine %.7f", i, cosine)
				}
			}
			if slices.Equal(batches[0].Feature(0), batches[0].Feature(1)) {
				t.Error("two photos have the same features")
			}
		})
	}
}
