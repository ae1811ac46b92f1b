package onnx

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgvec/imgvec/internal/testdata"
)

// tiny is conv -> pool -> flatten -> gemm, the shape of a classifier.
func tiny() *Builder {
	b := NewBuilder("tiny", "a test")
	b.Input("input", Batched(3, 8, 8))
	b.Node("Conv", "conv", []string{"input", b.Weights("w", make([]float32, 4*3), 4, 3, 1, 1)}, Ints("pads", 0, 0, 0, 0), Int("group", 1))
	b.Node("GlobalAveragePool", "pool", []string{"conv"})
	b.Node("Flatten", "flat", []string{"pool"}, Int("axis", 1))
	b.Node("Gemm", "gemm", []string{"flat", b.Weights("fc", make([]float32, 5*4), 5, 4)}, Int("transB", 1))
	b.Node("Softmax", "scores", []string{"gemm"})
	b.Output("scores", Batched(5))
	return b
}

func build(t testing.TB, b *Builder) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func parse(t testing.TB, data []byte) *Model {
	t.Helper()
	m, err := Parse(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestBuiltModelReadsBack(t *testing.T) {
	data := build(t, tiny())
	if again := build(t, tiny()); !bytes.Equal(data, again) {
		t.Error("two builds differ")
	}
	m := parse(t, data)
	if m.IR != irVersion || m.Opset[""] != opsetWritten || m.Producer != "imgvec" {
		t.Errorf("IR %d, opset %v, producer %q", m.IR, m.Opset, m.Producer)
	}
	var ops []string
	for _, n := range m.Graph.Nodes {
		ops = append(ops, n.Op)
	}
	if diff := cmp.Diff([]string{"Conv", "GlobalAveragePool", "Flatten", "Gemm", "Softmax"}, ops); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Batched(3, 8, 8), m.Graph.Inputs[0].Shape); diff != "" {
		t.Error(diff)
	}
	conv := m.Graph.Nodes[0]
	if diff := cmp.Diff([]Attribute{{Name: "pads", Ints: []int64{0, 0, 0, 0}}, {Name: "group", Int: 1}}, conv.Attrs); diff != "" {
		t.Error(diff)
	}
	if w := m.Graph.Inits[0]; w.Name != "w" || !cmp.Equal(w.Dims, []int64{4, 3, 1, 1}) || w.Elem != Float {
		t.Errorf("weights: %+v", w)
	}
}

func TestFeatureOfAClassifier(t *testing.T) {
	f, err := parse(t, build(t, tiny())).Graph.Index().Feature("")
	if err != nil {
		t.Fatal(err)
	}
	if f.Value != "flat" || f.Dim != 4 || f.Output || f.Plain() || f.Note == "" {
		t.Errorf("%+v, expected the inner value flat of 4 features", f)
	}
}

// declared is a model whose only output has a shape of its own.
func declared(name string, dims []Dim) []byte {
	b := NewBuilder("declared", "")
	b.Input("pixel_values", []Dim{{Name: "n"}, {Name: "c"}, {Name: "h"}, {Name: "w"}})
	b.Node("Conv", "conv", []string{"pixel_values", b.Weights("w", make([]float32, 4*3), 4, 3, 1, 1)})
	b.Node("Custom", name, []string{"conv"})
	b.Output(name, dims)
	var out bytes.Buffer
	_ = b.Write(&out)
	return out.Bytes()
}

func TestFeatureOfOtherShapes(t *testing.T) {
	for name, c := range map[string]struct {
		dims    []Dim
		output  string
		wantDim int
		wantErr string
	}{
		"vector":              {Batched(7), "", 7, ""},
		"pooled NCHW":         {Batched(7, 1, 1), "", 7, ""},
		"pooled NHWC":         {Batched(1, 1, 7), "", 7, ""},
		"one token":           {Batched(1, 7), "", 7, ""},
		"tokens":              {Batched(197, 768), "", 0, `"y#cls"`},
		"tokens, first":       {Batched(197, 768), "y#cls", 768, ""},
		"tokens, mean":        {Batched(197, 768), "y#mean", 768, ""},
		"map":                 {Batched(7, 4, 4), "", 0, `"y#mean"`},
		"map, mean":           {Batched(7, 4, 4), "y#mean", 7, ""},
		"map, first":          {Batched(7, 4, 4), "y#cls", 0, "that #cls could be applied to"},
		"unknown pooling":     {Batched(7), "y#max", 0, `pooling "max"`},
		"unknown output":      {Batched(7), "z", 0, `computes no value "z"; its outputs are "y" float32 [N,7]`},
		"no shape":            {nil, "", 0, "is not declared"},
		"free dimension":      {append(Batched(), Dim{Name: "d"}), "", 0, "number of features is not declared"},
		"scalar":              {[]Dim{}, "", 0, "not one vector an image"},
		"five axes":           {Batched(1, 1, 1, 7), "", 0, "not one vector an image"},
		"inner value, a map":  {Batched(7), "conv", 0, `"conv#mean"`},
		"inner value, pooled": {Batched(7), "conv#mean", 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := parse(t, declared("y", c.dims)).Graph.Index().Feature(c.output)
			switch {
			case c.wantErr == "" && (err != nil || f.Dim != c.wantDim):
				t.Errorf("%+v, %v, expected %d features", f, err, c.wantDim)
			case c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)):
				t.Errorf("%v, expected an error with %q", err, c.wantErr)
			}
		})
	}
}

func TestImageInput(t *testing.T) {
	with := func(elem Elem, dims ...Dim) []byte {
		b := tiny()
		b.inputs = appendMessage(nil, graphInput, valueInfo("input", elem, dims))
		return build(t, b)
	}
	n, free := Dim{Name: "N"}, Dim{}
	size := func(s int64) Dim { return Dim{Size: s} }
	for name, c := range map[string]struct {
		file    []byte
		want    ImageInput
		wantErr string
	}{
		"NCHW":        {with(Float, n, size(3), size(224), size(200)), ImageInput{Name: "input", Elem: Float, Height: 224, Width: 200}, ""},
		"NHWC uint8":  {with(Uint8, size(1), free, free, size(3)), ImageInput{Name: "input", Elem: Uint8, NHWC: true, Batch: 1}, ""},
		"all free":    {with(Float16, n, Dim{Name: "c"}, Dim{Name: "h"}, Dim{Name: "w"}), ImageInput{Name: "input", Elem: Float16}, ""},
		"gray":        {with(Float, n, size(1), size(28), size(28)), ImageInput{}, "no image input"},
		"tokens":      {with(Int64, n, size(77)), ImageInput{}, `"input" int64 [N,77]`},
		"float64":     {with(Double, n, size(3), size(8), size(8)), ImageInput{}, "no image input"},
		"no shape":    {with(Float), ImageInput{}, "no image input"},
		"other names": {declared("y", Batched(7)), ImageInput{Name: "pixel_values", Elem: Float}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(t, c.file).Graph.Index().ImageInput()
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Errorf("%v, expected an error with %q", err, c.wantErr)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestCutKeepsWhatTheFeaturesNeed(t *testing.T) {
	m := parse(t, build(t, tiny()))
	f, err := m.Graph.Index().Feature("")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := m.Cut(&out, f, "input", nil); err != nil {
		t.Fatal(err)
	}
	cut := parse(t, out.Bytes())
	var ops []string
	for _, n := range cut.Graph.Nodes {
		ops = append(ops, n.Op)
	}
	if diff := cmp.Diff([]string{"Conv", "GlobalAveragePool", "Flatten", "Cast"}, ops); diff != "" {
		t.Error(diff)
	}
	if len(cut.Graph.Inits) != 1 || cut.Graph.Inits[0].Name != "w" {
		t.Errorf("weights left: %+v", cut.Graph.Inits)
	}
	if len(cut.Graph.Outputs) != 1 || cut.Graph.Outputs[0].Name != CutFeature {
		t.Errorf("outputs: %+v", cut.Graph.Outputs)
	}
}

func TestCutRefusesOtherInputs(t *testing.T) {
	b := tiny()
	b.inputs = appendMessage(b.inputs, graphInput, valueInfo("input_ids", Int64, Batched(77)))
	b.Node("Custom", "both", []string{"flat", "input_ids"})
	m := parse(t, build(t, b))
	f, err := m.Graph.Index().Feature("flat")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Cut(io.Discard, f, "input", nil); err != nil {
		t.Errorf("an input that the features do not need: %v", err)
	}
	f.Value = "both"
	if err := m.Cut(io.Discard, f, "input", nil); err == nil || !strings.Contains(err.Error(), `"input_ids"`) {
		t.Errorf("an input that the features need: %v", err)
	}
}

// externalModel keeps the weights of tiny's convolution in a file of their own, from byte 16.
func externalModel(t testing.TB) []byte {
	entry := func(k, v string) []byte {
		return appendString(appendString(nil, entryKey, k), entryValue, v)
	}
	b := tiny()
	b.inits = b.inits[1:]
	var w []byte
	for _, d := range []uint64{4, 3, 1, 1} {
		w = appendVarint(w, tensorDims, d)
	}
	w = appendString(appendVarint(w, tensorType, uint64(Float)), tensorName, "w")
	for _, e := range [][]byte{entry("location", "weights.bin"), entry("offset", "16"), entry("length", "48")} {
		w = appendMessage(w, tensorExternal, e)
	}
	b.nodes = appendMessage(b.nodes, graphInitializer, appendVarint(w, tensorDataLocation, 1))
	return build(t, b)
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

func TestCutTakesOutsideWeightsIn(t *testing.T) {
	m := parse(t, externalModel(t))
	names, err := m.ExternalFiles()
	if err != nil || !cmp.Equal(names, []string{"weights.bin"}) {
		t.Fatal(names, err)
	}
	f, err := m.Graph.Index().Feature("flat")
	if err != nil {
		t.Fatal(err)
	}
	weights := bytes.Repeat([]byte("weights!"), 6)
	var out bytes.Buffer
	err = m.Cut(&out, f, "input", func(name string) (io.ReadSeekCloser, error) {
		return nopCloser{bytes.NewReader(append(make([]byte, 16), weights...))}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cut := parse(t, out.Bytes())
	if len(cut.Graph.Inits) != 1 || cut.Graph.Inits[0].External {
		t.Errorf("%+v, expected one tensor with its data inside", cut.Graph.Inits)
	}
	if !bytes.Contains(out.Bytes(), weights) {
		t.Error("the weights are not in the cut model")
	}
}

func TestCutOffAndForeignFiles(t *testing.T) {
	data := build(t, tiny())
	for n := range data {
		if _, err := Parse(bytes.NewReader(data[:n]), int64(n)); err == nil {
			t.Fatalf("accepted when cut to %d of %d bytes", n, len(data))
		}
	}
	for _, text := range []string{"", "hello", "<!DOCTYPE html><html>", "version https://git-lfs.github.com/spec/v1\noid sha256:0", "PK\x03\x04\x14\x00\x00\x00"} {
		if _, err := Parse(strings.NewReader(text), int64(len(text))); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestRealModels(t *testing.T) {
	for name, want := range map[string]struct {
		feature string
		dim     int
		plain   bool
	}{
		"resnet50-pruned-int8w.onnx": {"features", 2048, true},
		"squeezenet1.1.onnx":         {"features", 512, true},
		"mobilenetv2-12-int8.onnx":   {"472_quantized", 1280, false},
		"squeezenet-fp16-bgr.onnx":   {"softmaxout_1", 1000, false},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := os.Open(filepath.Join(testdata.Dir(t), "models", name))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			m, err := Parse(file, info.Size())
			if err != nil {
				t.Fatal(err)
			}
			f, err := m.Graph.Index().Feature("")
			if err != nil || f.Value != want.feature || f.Dim != want.dim || f.Plain() != want.plain {
				t.Errorf("%+v, %v, expected %+v", f, err, want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(build(f, tiny()))
	f.Add(externalModel(f))
	f.Add(declared("last_hidden_state", Batched(197, 768)))
	f.Add(declared("features", Batched(7, 1, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		index := m.Graph.Index()
		input, err := index.ImageInput()
		if err != nil {
			input.Name = "input"
		}
		_, _ = m.ExternalFiles()
		for _, output := range []string{"", "conv#mean", "last_hidden_state#cls"} {
			feature, err := index.Feature(output)
			if err != nil {
				continue
			}
			var cut bytes.Buffer
			err = m.Cut(&cut, feature, input.Name, func(string) (io.ReadSeekCloser, error) {
				return nopCloser{bytes.NewReader(make([]byte, 1024))}, nil
			})
			if err != nil {
				continue
			}
			if _, err := Parse(bytes.NewReader(cut.Bytes()), int64(cut.Len())); err != nil {
				t.Errorf("a cut model does not parse: %v", err)
			}
		}
	})
}
