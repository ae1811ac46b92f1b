package ort_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/testdata"
)

func TestReadGraph(t *testing.T) {
	for name, c := range map[string]struct {
		opts tiny.Options
		want ort.Graph
	}{
		"plain": {tiny.Options{}, ort.Graph{
			Inputs:  []ort.Value{{Name: "image", DType: ort.Float32, Shape: []int64{-1, 3, 16, 16}}},
			Outputs: []ort.Value{{Name: "features", DType: ort.Float32, Shape: []int64{-1, 16}}},
		}},
		"other": {tiny.Options{Size: 8, Batch: 2, Layout: imgvec.NHWC, DType: imgvec.Float16, Output: tiny.Pooled}, ort.Graph{
			Inputs:  []ort.Value{{Name: "image", DType: ort.Float16, Shape: []int64{2, 8, 8, 3}}},
			Outputs: []ort.Value{{Name: "features", DType: ort.Float16, Shape: []int64{2, 16, 1, 1}}},
		}},
		"stored int8, no shape": {tiny.Options{Weird: tiny.StoredInt8, Output: tiny.Unnamed}, ort.Graph{
			Inputs:      []ort.Value{{Name: "image", DType: ort.Float32, Shape: []int64{-1, 3, 16, 16}}},
			Outputs:     []ort.Value{{Name: "features", DType: ort.Float32}},
			Dequantises: true,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := tiny.Write(t, c.opts)
			graph, err := ort.ReadGraph(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, graph); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadGraphOfRealModels(t *testing.T) {
	for file, want := range map[string]struct{ quantised, dequantises bool }{
		"resnet50-pruned-int8w.onnx": {false, true},
		"mobilenetv2-12-int8.onnx":   {true, true},
		"squeezenet1.1.onnx":         {false, false},
		"squeezenet-fp16-bgr.onnx":   {false, false},
	} {
		graph, err := ort.ReadGraph(testdata.Path(t, "models/"+file))
		if err != nil {
			t.Error(err)
			continue
		}
		if graph.Quantised != want.quantised || graph.Dequantises != want.dequantises || len(graph.Inputs) == 0 || len(graph.Outputs) == 0 {
			t.Errorf("%s: %+v", file, graph)
		}
	}
}

func TestReadGraphRefuses(t *testing.T) {
	path, _ := tiny.Write(t, tiny.Options{})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": {}, "text": []byte("<html>no model</html>"), "picture": []byte("\x89PNG\r\n\x1a\n"),
		"cut": whole[:len(whole)/2], "cut by one": whole[:len(whole)-1], "zeros": make([]byte, 100),
	} {
		file := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if graph, err := ort.ReadGraph(file); !errors.Is(err, imgvec.ErrModel) {
			t.Errorf("%s: %+v, %v", name, graph, err)
		}
	}
	if _, err := ort.ReadGraph(filepath.Join(t.TempDir(), "none.onnx")); !errors.Is(err, imgvec.ErrModel) {
		t.Errorf("missing file: %v", err)
	}
}
