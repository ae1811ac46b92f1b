package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func kept(c HalfCheck) string {
	var parts []string
	for _, k := range c.Kept {
		parts = append(parts, fmt.Sprintf("%d %s", k.Count, k.Op))
	}
	return strings.Join(parts, ", ")
}

// convert converts, checks what every conversion must keep, and gives the new model and its bytes.
func convert(t testing.TB, file []byte, opts HalfOptions) (*Model, []byte) {
	t.Helper()
	m := parse(t, file)
	var out, again bytes.Buffer
	if err := errors.Join(m.Half(&out, opts), m.Half(&again, opts)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("two conversions differ")
	}
	to := parse(t, out.Bytes())
	checkGraph(t, to)
	if to.IR != m.IR || !cmp.Equal(to.Opset, m.Opset) || len(to.Graph.Outputs) != len(m.Graph.Outputs) {
		t.Errorf("IR %d, opset %v, outputs %v", to.IR, to.Opset, to.Graph.Outputs)
	}
	for i, v := range to.Graph.Outputs {
		if was := m.Graph.Outputs[i]; v.Name != was.Name || v.Elem != was.Elem {
			t.Errorf("output %q %s, was %q %s", v.Name, v.String(), was.Name, was.String())
		}
	}
	return to, out.Bytes()
}

// checkGraph: nodes come after what they take, a value is made once, and no cast undoes another.
func checkGraph(t testing.TB, m *Model) {
	t.Helper()
	made := map[string]string{"": ""}
	for _, v := range m.Graph.Inputs {
		made[v.Name] = "input"
	}
	for _, w := range m.Graph.Inits {
		if made[w.Name] != "" {
			t.Errorf("weights %q twice", w.Name)
		}
		made[w.Name] = "weights"
	}
	for _, n := range m.Graph.Nodes {
		for _, in := range n.Inputs {
			by, ok := made[in]
			if !ok {
				t.Errorf("node %q takes %q before it is made", n.Name, in)
			}
			if by == "inserted" && inserted(n) {
				t.Errorf("a cast of a cast: %q", in)
			}
		}
		for _, out := range n.Outputs {
			if _, twice := made[out]; twice && out != "" {
				t.Errorf("value %q twice", out)
			}
			if made[out] = n.Op; inserted(n) {
				made[out] = "inserted"
			}
		}
	}
}

func inserted(n Node) bool { return n.Op == "Cast" && strings.Contains(n.Name, "_cast") }

func casts(m *Model) (n int) {
	for _, node := range m.Graph.Nodes {
		if node.Op == "Cast" {
			n++
		}
	}
	return n
}

func TestHalfOfGraphs(t *testing.T) {
	for _, c := range HalfCases() {
		t.Run(c.Name, func(t *testing.T) {
			opts := HalfOptions{}
			if c.Elem == Float {
				convert(t, c.File, opts)
				opts.Input = "image"
			}
			check, err := parse(t, c.File).CheckHalf(opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := kept(check); got != c.Kept {
				t.Errorf("kept %s\nexpected %s", check, c.Kept)
			}
			to, _ := convert(t, c.File, opts)
			if got := casts(to); got != c.Casts {
				t.Errorf("%d casts, expected %d", got, c.Casts)
			}
			if c.Elem == Float && to.Graph.Inputs[0].Elem != Float16 {
				t.Errorf("the image is %s", to.Graph.Inputs[0].String())
			}
		})
	}
}

func TestHalfHasHalfTheBytes(t *testing.T) {
	b := NewBuilder("big", "")
	b.Input("input", Batched(3, 8, 8))
	b.Node("Conv", "conv", []string{"input", b.Weights("w", make([]float32, 40000*3), 40000, 3, 1, 1)})
	b.Output("conv", Batched(40000, 8, 8))
	file := build(t, b)
	to, out := convert(t, file, HalfOptions{})
	if w := to.Graph.Inits; len(w) != 1 || w[0].Elem != Float16 || !cmp.Equal(w[0].Dims, []int64{40000, 3, 1, 1}) {
		t.Errorf("weights: %+v", w)
	}
	if len(out) > len(file)/2+1000 {
		t.Errorf("%d bytes of %d", len(out), len(file))
	}
	if to.Producer != "imgvec" {
		t.Errorf("producer %q", to.Producer)
	}
}

func TestHalfRetypesWhatIsDeclared(t *testing.T) {
	shape := []Dim{{Name: "N"}, {Size: 4}, {}, {}}
	file := newSketch(13).conv("c").info("c", Float, Batched(4, 8, 8)).info("r", Float, shape).info("p", Float, shape).info("s", Int64, Fixed(4)).
		node("Shape", "s", "c").node("Relu", "r", "c").node("Exp", "p", "").pooled(4)
	to, _ := convert(t, file, HalfOptions{})
	declared := map[string]string{}
	for _, v := range to.Graph.Infos {
		declared[v.Name] = v.String()
	}
	want := map[string]string{ // r is there in both types, and so is p
		"c_f16": "float16 [N,4,8,8]", "r_f16": "float16 [N,4,?,?]", "r": "float32 [N,4,?,?]", "p_f16": "float16 [N,4,?,?]", "p": "float32 [N,4,?,?]", "s": "int64 [4]",
	}
	if diff := cmp.Diff(want, declared); diff != "" {
		t.Error(diff)
	}
	to, _ = convert(t, oldFile(), HalfOptions{})
	if d := to.Graph.declared; len(d) != 1 || d[0].Name != "w_f16" || d[0].String() != "float16 [4,3,1,1]" {
		t.Errorf("declared weights: %+v", d)
	}
}

func TestHalfTakesOutsideWeightsIn(t *testing.T) {
	values := floatBytes(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1./3)
	open := func(name string) (io.ReadSeekCloser, error) {
		if name != "weights.bin" {
			return nil, fmt.Errorf("opened %q", name)
		}
		return nopCloser{bytes.NewReader(append(make([]byte, 16), values...))}, nil
	}
	to, out := convert(t, externalModel(t), HalfOptions{Open: open})
	if slices.ContainsFunc(to.Graph.Inits, func(w Tensor) bool { return w.External }) {
		t.Errorf("%+v", to.Graph.Inits)
	}
	if want := []byte{0x00, 0x49, 0x80, 0x49, 0x55, 0x35}; !bytes.Contains(out, want) { // 10, 11, 1/3
		t.Error("the weights are not in the model")
	}
	m := parse(t, externalModel(t))
	if err := m.Half(io.Discard, HalfOptions{}); err == nil || !strings.Contains(err.Error(), "weights.bin") {
		t.Error(err)
	}
	values = values[:20]
	if err := m.Half(io.Discard, HalfOptions{Open: open}); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Error(err)
	}
}

func TestHalfRefuses(t *testing.T) {
	plain := func() *sketch { return newSketch(13).conv("c") }
	quantised := plain().floats("s", scalar(), 0.1)
	quantised.graph.add(graphInitializer, rawTensor("z", Int8, []byte{0}))
	quantised.node("QuantizeLinear", "q", "c s z").node("DequantizeLinear", "d", " s z")
	already := newSketch(13)
	already.graph.add(graphInitializer, rawTensor("w", Float16, make([]byte, 24), 4, 3, 1, 1))
	already.node("Cast", "h", "", castTo(Float16)).node("Conv", "c", " w").node("Cast", "f", "", castTo(Float))
	segment := newSketch(13)
	segment.graph.add(graphInitializer, append(rawTensor("w", Float, make([]byte, 48), 4, 3, 1, 1), appendMessage(nil, tensorSegment, nil)...))
	wrong := newSketch(13)
	wrong.graph.add(graphInitializer, rawTensor("w", Float, make([]byte, 44), 4, 3, 1, 1))
	for name, c := range map[string]struct {
		file []byte
		opts HalfOptions
		is   error
		want string
	}{
		"quantised":     {quantised.pooled(4), HalfOptions{}, ErrQuantised, `"q", QuantizeLinear`},
		"already":       {already.pooled(4), HalfOptions{}, ErrAlreadyHalf, "float16 already"},
		"old operators": {newSketch(6).conv("c").pooled(4), HalfOptions{}, nil, "operator set 6"},
		"no such input": {plain().pooled(4), HalfOptions{Input: "img"}, nil, `no input "img"`},
		"weights":       {plain().pooled(4), HalfOptions{Input: "c.w"}, nil, `no input "c.w"`},
		"bytes":         {inputCases()[0].File, HalfOptions{Input: "image"}, nil, "is uint8"},
		"in a body":     {branches("image"), HalfOptions{Input: "image"}, nil, "control flow"},
		"nothing to do": {newSketch(13).node("Pow", "p", "image image").node("Exp", "e", "").node("Log", "features", "").file(Float, Batched(3, 8, 8), 3), HalfOptions{}, nil, "no node"},
		"in segments":   {segment.node("Conv", "c", " w").pooled(4), HalfOptions{}, nil, "segments"},
		"misshapen":     {wrong.node("Conv", "c", " w").pooled(4), HalfOptions{}, nil, `tensor "w" has 44 bytes`},
		"input as output": {func() []byte {
			s := plain()
			s.graph.add(graphOutput, valueInfo("image", Float, nil))
			return s.pooled(4)
		}(), HalfOptions{Input: "image"}, nil, "is an output too"},
	} {
		t.Run(name, func(t *testing.T) {
			m := parse(t, c.file)
			_, checked := m.CheckHalf(c.opts)
			err := m.Half(io.Discard, c.opts)
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v, expected an error with %q", err, c.want)
			}
			if checked == nil || err != nil && checked.Error() != err.Error() {
				t.Errorf("the check says %v", checked)
			}
			if m.IsHalf() != (name == "already") {
				t.Errorf("IsHalf is %v", m.IsHalf())
			}
		})
	}
}

// Half of what Half wrote is refused.
func TestHalfTwice(t *testing.T) {
	for _, c := range HalfCases()[:3] {
		to, _ := convert(t, c.File, HalfOptions{})
		if err := to.Half(io.Discard, HalfOptions{}); !errors.Is(err, ErrAlreadyHalf) {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestHalfTellsOfAFullDisk(t *testing.T) {
	file := build(t, tiny())
	m := parse(t, file)
	_, out := convert(t, file, HalfOptions{})
	for n := range len(out) - 1 {
		if err := m.Half(&failing{n}, HalfOptions{}); !errors.Is(err, io.ErrShortWrite) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

func TestRoundingOfConstants(t *testing.T) {
	for v, want := range map[float32]uint16{1: 0x3c00, 65519: 0x7bff, 65520: 0x7bff, -1e30: 0xfbff, 1e-9: 0, 1.0004883: 0x3c00, 1.0004885: 0x3c01} {
		if got := toHalf(v); got != want {
			t.Errorf("%v: %#x, expected %#x", v, got, want)
		}
	}
}

func FuzzHalf(f *testing.F) {
	for _, c := range HalfCases() {
		f.Add(c.File)
	}
	f.Add(externalModel(f))
	f.Add(build(f, tiny()))
	open := func(string) (io.ReadSeekCloser, error) { return nopCloser{bytes.NewReader(make([]byte, 1024))}, nil }
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, input := range []string{"", "image"} {
			var out bytes.Buffer
			if err := m.Half(&out, HalfOptions{Input: input, Open: open}); err != nil {
				continue
			}
			if _, err := Parse(bytes.NewReader(out.Bytes()), int64(out.Len())); err != nil {
				t.Errorf("a converted model does not parse: %v", err)
			}
		}
	})
}
