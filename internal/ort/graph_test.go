package ort_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

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

// Opening a model must not cost its size: a gigabyte of weights is stepped over.
func TestReadGraphSkipsTheWeights(t *testing.T) {
	const weights = 1 << 30
	path, _ := tiny.Write(t, tiny.Options{})
	small, err := ort.ReadGraph(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = lastWeight(t, data, weights)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(data))+weights); err != nil { // a hole: it takes no room on the disk
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	large, err := ort.ReadGraph(path)
	runtime.ReadMemStats(&after)
	if diff := cmp.Diff(small, large); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("%d bytes were allocated to read the graph", took)
	}
}

// lastWeight moves a model's graph to the file's end and begins a weight of that many bytes at the graph's end.
func lastWeight(t *testing.T, model []byte, size uint64) []byte {
	const modelGraph, graphInitializer, tensorName, tensorRaw = 7, 5, 8, 9
	var others, graph []byte
	for len(model) > 0 {
		num, kind, n := protowire.ConsumeTag(model)
		length := protowire.ConsumeFieldValue(num, kind, model[max(n, 0):])
		if n < 0 || length < 0 {
			t.Fatal("the model is no protobuf message")
		}
		if field := model[:n+length]; num == modelGraph {
			graph, _ = protowire.ConsumeBytes(field[n:])
		} else {
			others = append(others, field...)
		}
		model = model[n+length:]
	}
	tensor := protowire.AppendString(protowire.AppendTag(nil, tensorName, protowire.BytesType), "large")
	tensor = protowire.AppendVarint(protowire.AppendTag(tensor, tensorRaw, protowire.BytesType), size)
	graph = protowire.AppendTag(slices.Clone(graph), graphInitializer, protowire.BytesType)
	graph = append(protowire.AppendVarint(graph, uint64(len(tensor))+size), tensor...)
	others = protowire.AppendTag(others, modelGraph, protowire.BytesType)
	return append(protowire.AppendVarint(others, uint64(len(graph))+size), graph...)
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
