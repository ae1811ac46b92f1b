package model

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// recorder keeps the tensors that a builder asks random weights for.
type recorder struct {
	graph.Generator
	names  []string
	shapes [][]int64
	values [][]float32
}

func (r *recorder) Generate(name string, shape []int64) []float32 {
	values := r.Generator.Generate(name, shape)
	r.names = append(r.names, name)
	r.shapes = append(r.shapes, shape)
	r.values = append(r.values, append([]float32(nil), values...)) // the builder folds in place
	return values
}

// safetensors is a checkpoint of an architecture with the same weights as Random(arch, seed).
func safetensors(t *testing.T, arch string, seed uint64, rename func(string) string) []byte {
	t.Helper()
	source, err := graph.RandomWeights(arch, seed)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{Generator: source}
	if _, err := buildGraph(arch, 224, r); err != nil {
		t.Fatal(err)
	}
	header, data := map[string]any{}, []byte(nil)
	for i, name := range r.names {
		begin := len(data)
		for _, v := range r.values[i] {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		header[rename(name)] = map[string]any{"dtype": "F32", "shape": r.shapes[i], "data_offsets": []int{begin, len(data)}}
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), data...)
}

// tensors is a checkpoint of zeros.
func tensors(t *testing.T, shapes map[string][]int64) []byte {
	t.Helper()
	header, size := map[string]any{}, int64(0)
	for name, shape := range shapes {
		n := int64(4)
		for _, d := range shape {
			n *= d
		}
		header[name] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": []int64{size, size + n}}
		size += n
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), make([]byte, size)...)
}

func same(name string) string { return name }

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// tinyModel writes an ONNX classifier of 4 features; its input has the given shape.
func tinyModel(t *testing.T, path string, input []onnx.Dim) string {
	t.Helper()
	b := onnx.NewBuilder("tiny", "")
	b.Input("input", input)
	b.Node("Conv", "conv", []string{"input", b.Weights("w", make([]float32, 12), 4, 3, 1, 1)})
	b.Node("GlobalAveragePool", "pool", []string{"conv"})
	b.Node("Flatten", "features", []string{"pool"}, onnx.Int("axis", 1))
	b.Node("Gemm", "logits", []string{"features", b.Weights("fc", make([]float32, 20), 5, 4)}, onnx.Int("transB", 1))
	b.Output("features", onnx.Batched(4))
	b.Output("logits", onnx.Batched(5))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := b.Write(f); err != nil {
		t.Fatal(err)
	}
	return path
}

// errorWith fails unless err holds every word.
func errorWith(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, expected one with %q", words)
		return
	}
	for _, word := range words {
		if !contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}
