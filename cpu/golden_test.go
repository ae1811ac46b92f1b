//go:build cgo

package cpu_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/preprocess"
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
	for _, c := range arithmetics {
		t.Run(c.name(), func(t *testing.T) {
			agree(t, features(t, openResNet(t, c), 12, pixels), want, c.least)
		})
	}
}

// arithmetic is a session for models in float32, and the least cosine of its features.
type arithmetic struct {
	provider  string
	precision imgvec.Precision
	least     float64
	streams   int // 0: the default
}

var arithmetics = []arithmetic{
	{cpu.OpenVINO, imgvec.BF16, cosineBF16, 0},
	{cpu.OpenVINO, imgvec.FP32, cosineFP32, 0},
	{cpu.CPU, imgvec.FP32, cosineFP32, 0},
}

func (a arithmetic) name() string { return a.provider + "/" + string(a.precision) }

func openResNet(t *testing.T, a arithmetic) *cpu.Backend {
	t.Helper()
	needsPrecision(t, a.provider, a.precision)
	b := open(t, testdata.Path(t, "models/resnet50-pruned-int8w.onnx"), specOf("input", "features", 2048),
		cpu.Options{Provider: a.provider, Precision: a.precision, Streams: a.streams})
	if got := b.Info().Precision; got != a.precision {
		t.Errorf("opened in %s", got)
	}
	return b
}

// From the photos' files to features, against ONNX Runtime in Python on Pillow's pixels.
func TestFeaturesOfThePhotos(t *testing.T) {
	want := testdata.NPY(t, "refs/resnet50-pruned__photos_features_2048.npy")
	pixels := photos(t, want.Shape[0])
	for _, c := range arithmetics {
		t.Run(c.name(), func(t *testing.T) {
			backend := openResNet(t, c)
			batch := features(t, backend, want.Shape[0], pixels)
			least, sum := 1.0, 0.0
			for i := range want.Shape[0] {
				cosine := testdata.Cosine(batch.Feature(i), want.Row(i))
				if sum += cosine; !(cosine >= c.least) {
					t.Errorf("photo %d: cosine %.7f", i, cosine)
				}
				least = min(least, cosine)
			}
			t.Logf("%s %s: cosine at least %.7f, on average %.7f", backend.Info().Provider, c.precision, least, sum/float64(want.Shape[0]))
		})
	}
}

// photos are the test data's photos as pixels of the model's size, n of them.
func photos(t *testing.T, n int) []uint8 {
	t.Helper()
	list, err := os.ReadFile(testdata.Path(t, "refs/photos.txt"))
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(list))
	if len(names) != n {
		t.Fatalf("%d photos listed, features of %d", len(names), n)
	}
	pre, err := preprocess.New(imageNet(), preprocess.Options{Exif: preprocess.ExifIgnore})
	if err != nil {
		t.Fatal(err)
	}
	worker := pre.NewWorker()
	defer worker.Close()
	size := specOf("", "", 0).ImageLen()
	pixels := make([]uint8, n*size)
	for i, name := range names {
		data, err := os.ReadFile(testdata.Path(t, "photos/"+name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := worker.Into(t.Context(), pixels[i*size:(i+1)*size], data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return pixels
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
	for _, c := range arithmetics[:2] {
		t.Run(c.name(), func(t *testing.T) {
			for range 3 {
				c.streams = 2
				b := openResNet(t, c)
				var wg sync.WaitGroup
				for range c.streams {
					batch := backendtest.NewBatch(t, b.Spec(), 1, 1)
					copy(batch.Pixels, pixels)
					wg.Go(func() {
						if err := b.Run(t.Context(), batch); err != nil {
							t.Error(err)
						}
						agree(t, batch, want, c.least)
					})
				}
				wg.Wait()
			}
		})
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
				b := open(t, path, c.spec, cpu.Options{Provider: provider, Precision: c.precision, Streams: 2})
				if got := b.Info().Precision; got != c.precision {
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
