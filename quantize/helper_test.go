package quantize

import (
	"encoding/json"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

// photos are some of the shared photos, evenly, in the order of their names.
func photos(t testing.TB, every int) iter.Seq[imgvec.Item] {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testdata.Path(t, "photos"), "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no photos", err)
	}
	return func(yield func(imgvec.Item) bool) {
		for i := 0; i < len(files); i += every {
			data, err := os.ReadFile(files[i])
			if err != nil {
				t.Error(err)
				return
			}
			if !yield(imgvec.Item{ID: files[i], Data: data}) {
				return
			}
		}
	}
}

// drawn are the pictures that the project draws, the first most of them.
func drawn(most int) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		for i, data := range model.ReferencePictures() {
			if i >= most || !yield(imgvec.Item{ID: "drawn", Data: data}) {
				return
			}
		}
	}
}

const (
	side    = 32 // of the small network's input
	width   = 16 // its channels, and features
	classes = 10
)

// network writes a small residual network with a classifier into a model folder. Where it is bad, one tensor between two
// convolutions, "stretch" and "shrink", has a channel 3000 times as large as the others, which one range for all can't hold.
func network(t *testing.T, bad bool) *model.Model {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	b := onnx.NewBuilder("small", "")
	b.Input("input", onnx.Batched(3, side, side))
	conv := func(name, in string, inputs, kernel, stride int64, relu bool) string {
		weights := make([]float32, width*inputs*kernel*kernel)
		for i := range weights {
			weights[i] = float32(r.NormFloat64()) * 1.4 / float32(inputs*kernel*kernel)
		}
		if bad && name == "stretch" {
			for i := range weights[:inputs*kernel*kernel] {
				weights[i] *= 3000
			}
		}
		if bad && name == "shrink" {
			for out := range int64(width) {
				weights[out*inputs] /= 3000
			}
		}
		bias := make([]float32, width)
		for i := range bias {
			bias[i] = float32(r.NormFloat64()) * 0.1
		}
		b.Weights(name+".weight", weights, width, inputs, kernel, kernel)
		b.Weights(name+".bias", bias, width)
		pad := kernel / 2
		out := b.Node("Conv", name, []string{in, name + ".weight", name + ".bias"}, onnx.Ints("kernel_shape", kernel, kernel),
			onnx.Ints("strides", stride, stride), onnx.Ints("pads", pad, pad, pad, pad))
		if relu {
			return b.Node("Relu", name+".relu", []string{out})
		}
		return out
	}
	stem := conv("stem", "input", 3, 3, 1, true)
	main := conv("main", conv("first", stem, width, 3, 2, true), width, 1, 1, false)
	sum := b.Node("Relu", "sum.relu", []string{b.Node("Add", "sum", []string{main, conv("skip", stem, width, 1, 2, false)})})
	last := conv("shrink", conv("stretch", sum, width, 1, 1, true), width, 1, 1, true)
	b.Node("Flatten", "features", []string{b.Node("GlobalAveragePool", "pool", []string{last})})
	scores := make([]float32, classes*width)
	for i := range scores {
		scores[i] = float32(r.NormFloat64())
	}
	b.Weights("scores.weight", scores, width, classes)
	b.Node("MatMul", "logits", []string{"features", "scores.weight"})
	b.Output("features", onnx.Batched(width))
	b.Output("logits", onnx.Batched(classes))
	return folder(t, b, "small")
}

// folder writes a network as a model folder.
func folder(t *testing.T, b *onnx.Builder, name string) *model.Model {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, model.ModelFile))
	must(t, err)
	must(t, b.Write(file))
	must(t, file.Close())
	manifest := model.Manifest{
		Format: 1, Name: name, Source: "made by a test", License: "none needed", Logits: "logits", Model: model.FileHash{File: model.ModelFile},
		Spec: imgvec.Spec{
			Model: name, Input: "input", Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: "features", Dim: width,
			Preset: imgvec.Preset{
				InputSize: imgvec.Size{Height: side, Width: side}, CropMode: imgvec.CropSquash, CropRound: imgvec.CropHalfEven, Interpolation: imgvec.Bilinear,
				Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
			},
		},
	}
	text, err := json.Marshal(manifest)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, model.ManifestFile), text, 0o644))
	m, err := model.Open(dir, model.OpenOptions{})
	must(t, err)
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// written is a result's file.
func written(t *testing.T, r *Result) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "int8.onnx")
	file, err := os.Create(path)
	must(t, err)
	must(t, r.Write(file))
	must(t, file.Close())
	return path
}
