//go:build cgo

package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// goldenViT is one row of internal/graph/testdata/vit.json, which vit.py there makes with the libraries themselves.
type goldenViT struct {
	Arch     string                     `json:"arch"`
	Side     int                        `json:"side"`
	Beside   map[string]json.RawMessage `json:"beside"`
	Tensors  map[string]goldenTensor    `json:"tensors"`
	Features [][]float32                `json:"features"`
	Logits   [][]float32                `json:"logits"`
	config   graph.Config
}

// goldenTensor is [shape, names of the parameters whose numbers it has, scale, offset].
type goldenTensor struct {
	shape         []int64
	of            string
	scale, offset float64
}

func (g *goldenTensor) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&g.shape, &g.of, &g.scale, &g.offset})
}

func goldenViTs(t *testing.T) map[string]*goldenViT {
	t.Helper()
	text, err := os.ReadFile("internal/graph/testdata/vit.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases map[string]*goldenViT `json:"cases"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for name, g := range file.Cases {
		for _, text := range g.Beside {
			if g.config, err = readArchitecture(text); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	return file.Cases
}

// mixed are 64 random bits for a place of a tensor: FNV-1a of the name, then splitmix64.
func mixed(name string) func(place uint64) uint64 {
	seed := uint64(0xcbf29ce484222325)
	for _, b := range []byte(name) {
		seed = (seed ^ uint64(b)) * 0x100000001b3
	}
	return func(place uint64) uint64 {
		z := seed + (place+1)*0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
}

func (g *goldenViT) Names() []string { return slices.Sorted(maps.Keys(g.Tensors)) }
func (g *goldenViT) Shape(name string) ([]int64, bool) {
	t, ok := g.Tensors[name]
	return t.shape, ok
}
func (g *goldenViT) Config() graph.Config { return g.config }

func (g *goldenViT) Float32s(name string) ([]float32, error) {
	t := g.Tensors[name]
	n := int64(1)
	for _, d := range t.shape {
		n *= d
	}
	of := strings.Split(t.of, "+")
	if t.of == "" {
		of[0] = name
	}
	values := make([]float32, 0, n)
	for _, parameter := range of {
		random := mixed(parameter)
		for i := range n / int64(len(of)) {
			u := float64(random(uint64(i))>>40)/(1<<23) - 1
			values = append(values, float32(t.offset+float64(t.scale*u)))
		}
	}
	return values, nil
}

// run computes one output of a model file for the golden pictures, on ONNX Runtime's CPU provider.
func (g *goldenViT) run(t *testing.T, file []byte, output string, dim int) [][]float32 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	spec := builtSpec("golden", dim, imgvec.Preset{
		InputSize: imgvec.Size{Height: g.Side, Width: g.Side}, CropMode: imgvec.CropCenter, ResizeSize: g.Side, CropRound: imgvec.CropHalfEven,
		Interpolation: imgvec.Bilinear, Scale: 255, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}, ChannelOrder: imgvec.RGB,
	})
	spec.Feature = output
	backend, err := cpu.Open(t.Context(), path, spec, cpu.Options{Provider: cpu.CPU, Precision: imgvec.FP32})
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close() //nolint:errcheck // tested elsewhere
	batch, err := imgvec.NewBatch(spec, make([]uint8, 2*spec.ImageLen()), make([]float32, 2*dim))
	if err != nil {
		t.Fatal(err)
	}
	batch.SetLen(2)
	area := g.Side * g.Side
	for i := range 2 {
		random := mixed(fmt.Sprint("picture", i))
		for k := range area {
			for c := range 3 {
				batch.Image(i)[3*k+c] = uint8(random(uint64(c*area+k)) >> 56)
			}
		}
	}
	if err := backend.Run(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return [][]float32{batch.Feature(0), batch.Feature(1)}
}

func (g *goldenViT) build(t *testing.T, arch string) []byte {
	t.Helper()
	b, err := graph.Build(arch, g.Side, g)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// wantNear compares vectors: their cosines, and the worst number as a part of the largest.
func wantNear(t *testing.T, what string, got, want [][]float32, cosine, worst float64) {
	t.Helper()
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("%s: %d numbers, expected %d", what, len(got[i]), len(want[i]))
		}
		if c := testdata.Cosine(got[i], want[i]); !(c >= cosine) {
			t.Errorf("%s of picture %d: cosine %.7f to the library's", what, i, c)
		}
		largest := 0.0
		for _, v := range want[i] {
			largest = math.Max(largest, math.Abs(float64(v)))
		}
		for k, v := range want[i] {
			if !(math.Abs(float64(got[i][k]-v)) <= worst*largest) {
				t.Fatalf("%s of picture %d, number %d: %v, the library has %v", what, i, k, got[i][k], v)
			}
		}
	}
}

func needRuntime(t *testing.T) {
	t.Helper()
	testdata.Home(t)
	if report := cpu.Probe(""); report.Error != "" {
		testdata.Require(t, "ort", report.Error)
	}
}

func TestViTsComputeWhatTheirLibrariesCompute(t *testing.T) {
	needRuntime(t)
	for name, g := range goldenViTs(t) {
		t.Run(name, func(t *testing.T) {
			file := g.build(t, g.Arch)
			wantNear(t, "features", g.run(t, file, graph.Features, len(g.Features[0])), g.Features, 0.9999999, 1e-5)
			if g.Logits != nil {
				wantNear(t, "logits", g.run(t, file, graph.Logits, len(g.Logits[0])), g.Logits, 0.9999999, 1e-5)
			}
		})
	}
}

// TestViTsInFloat16 converts the graphs: nothing in them needs float32, and rounding the weights costs no more than it
// must.
func TestViTsInFloat16(t *testing.T) {
	needRuntime(t)
	for name, g := range goldenViTs(t) {
		t.Run(name, func(t *testing.T) {
			file := g.build(t, g.Arch)
			m, err := onnx.Parse(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				t.Fatal(err)
			}
			check, err := m.CheckHalf(onnx.HalfOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(check.Kept) > 0 {
				t.Errorf("%s", check)
			}
			var half bytes.Buffer
			if err := m.Half(&half, onnx.HalfOptions{}); err != nil {
				t.Fatal(err)
			}
			wantNear(t, "features", g.run(t, half.Bytes(), graph.Features, len(g.Features[0])), g.Features, 0.9999, 0.02)
		})
	}
}

func TestViTsAreDetected(t *testing.T) {
	for name, g := range goldenViTs(t) {
		if arch, err := graph.Detect(g); err != nil || arch != g.Arch {
			t.Errorf("%s: %q, %v", name, arch, err)
		}
	}
}
