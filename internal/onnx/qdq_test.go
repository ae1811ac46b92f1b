package onnx_test

import (
	"math"
	"slices"
	"testing"

	"github.com/imgvec/imgvec/internal/onnx"
)

const (
	qSide     = 6
	qChannels = 4
)

// twoLayers is a 3x3 convolution without padding and a ReLU, then a 1x1 convolution, then the average.
func twoLayers() (b *onnx.Builder, w1, b1, w2, b2 []float32) {
	w1, b1 = weightsOf(1, qChannels*3*9), weightsOf(2, qChannels)
	w2, b2 = weightsOf(3, qChannels*qChannels), weightsOf(4, qChannels)
	b = onnx.NewBuilder("two", "")
	b.Input("input", onnx.Batched(3, qSide, qSide))
	b.Weights("w1", w1, qChannels, 3, 3, 3)
	b.Weights("b1", b1, qChannels)
	b.Weights("w2", w2, qChannels, qChannels, 1, 1)
	b.Weights("b2", b2, qChannels)
	b.Node("Relu", "a", []string{b.Node("Conv", "one", []string{"input", "w1", "b1"})})
	b.Node("Conv", "two", []string{"a", "w2", "b2"})
	b.Node("GlobalAveragePool", "features", []string{"two"})
	b.Output("features", onnx.Batched(qChannels, 1, 1))
	return b, w1, b1, w2, b2
}

// steps is 8-bit rounding as QuantizeLinear defines it, back in floats.
func steps(v float64, r onnx.Range) float64 {
	scale := (float64(r.Max) - float64(r.Min)) / 255
	zero := math.RoundToEven(-float64(r.Min) / scale)
	return (min(255, max(0, math.RoundToEven(v/scale)+zero)) - zero) * scale
}

// channel is the int8 rounding of one output channel's weights, back in floats, and its scale.
func channel(weights []float32) (rounded []float64, scale float64) {
	for _, v := range weights {
		scale = max(scale, math.Abs(float64(v))/127)
	}
	for _, v := range weights {
		rounded = append(rounded, math.RoundToEven(float64(v)/scale)*scale)
	}
	return rounded, scale
}

// The graph computes what the definition of the operators says, worked out here in plain loops.
func TestQuantisedNumbers(t *testing.T) {
	b, w1, b1, w2, b2 := twoLayers()
	e := editOf(t, b)
	if err := e.Simplify(); err != nil {
		t.Fatal(err)
	}
	layers := e.Layers("features")
	if len(layers) != 2 || layers[0].Input != "input" || layers[0].Output != "a" || layers[1].Output != "two" || layers[0].Weights != 4*27 {
		t.Fatalf("layers %+v", layers)
	}
	if got := e.QuantisedValues(layers); !slices.Equal(got, []string{"input", "a", "two"}) {
		t.Errorf("quantised values %q", got)
	}
	ranges := map[string]onnx.Range{"input": {Min: -0.9, Max: 1}, "a": {Min: 0, Max: 1.5}, "two": {Min: -1, Max: 0.9}}
	q, err := e.Quantise(layers, onnx.QDQOptions{Ranges: ranges})
	if err != nil {
		t.Fatal(err)
	}
	input := weightsOf(8, 3*qSide*qSide)
	got := runEdit(t, q, 1, qSide, input, "features")[0]
	inner := qSide - 2
	var mid [qChannels][]float64
	scaleIn, scaleA := 1.9/255, 1.5/255
	for c := range qChannels {
		w, s := channel(w1[c*27 : (c+1)*27])
		bias := math.RoundToEven(float64(b1[c])/(s*scaleIn)) * s * scaleIn
		for y := range inner {
			for x := range inner {
				sum := bias
				for i := range 27 {
					in, dy, dx := i/9, i/3%3, i%3
					sum += w[i] * steps(float64(input[(in*qSide+y+dy)*qSide+x+dx]), ranges["input"])
				}
				mid[c] = append(mid[c], steps(max(0, sum), ranges["a"]))
			}
		}
	}
	for c := range qChannels {
		w, s := channel(w2[c*qChannels : (c+1)*qChannels])
		bias := math.RoundToEven(float64(b2[c])/(s*scaleA)) * s * scaleA
		mean := 0.0
		for i := range inner * inner {
			sum := bias
			for k := range qChannels {
				sum += w[k] * mid[k][i]
			}
			mean += steps(sum, ranges["two"]) / float64(inner*inner)
		}
		// A sum that lies between two steps may be rounded the other way: one of 16 pixels by one step.
		if d := math.Abs(mean - float64(got[c])); d > 1.01*1.9/255/float64(inner*inner) {
			t.Errorf("channel %d: %v, by the definition %v", c, got[c], mean)
		}
	}
	if float := runEdit(t, e, 1, qSide, input, "features")[0]; farthest(t, float, got) == 0 {
		t.Error("nothing was rounded")
	}
}

// One layer alone, or without one: only what belongs to it is quantised, and a layer in float takes floats.
func TestSomeLayers(t *testing.T) {
	b, _, _, _, _ := twoLayers()
	e := editOf(t, b)
	if err := e.Simplify(); err != nil {
		t.Fatal(err)
	}
	layers := e.Layers("features")
	ranges := map[string]onnx.Range{"input": {Min: -0.9, Max: 1}, "a": {Min: 0, Max: 1.5}, "two": {Min: -1, Max: 0.9}}
	for name, c := range map[string]struct {
		opts onnx.QDQOptions
		want []string // of the quantised model's weights
		op   map[string]int
	}{
		"all":       {onnx.QDQOptions{}, []string{"one.weight.int8", "one.bias.int32", "two.weight.int8", "two.bias.int32"}, map[string]int{"QuantizeLinear": 3, "DequantizeLinear": 7}},
		"the first": {onnx.QDQOptions{Only: "one"}, []string{"one.weight.int8", "w2", "b2"}, map[string]int{"QuantizeLinear": 1, "DequantizeLinear": 3}},
		"the other": {onnx.QDQOptions{Float: map[string]bool{"one": true}}, []string{"w1", "b1", "two.weight.int8"}, map[string]int{"QuantizeLinear": 2, "DequantizeLinear": 4}},
	} {
		c.opts.Ranges = ranges
		q, err := e.Quantise(layers, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.want {
			if q.Weights[w] == nil {
				t.Errorf("%s: there is no %q", name, w)
			}
		}
		count := map[string]int{}
		for _, n := range q.Nodes {
			count[n.Op]++
			if n.Name == "one" && c.opts.Float["one"] && !slices.Equal(n.Inputs, []string{"input", "w1", "b1"}) {
				t.Errorf("%s: a layer in float takes %q", name, n.Inputs)
			}
		}
		for op, n := range c.op {
			if count[op] != n {
				t.Errorf("%s: %d %s, want %d", name, count[op], op, n)
			}
		}
		runEdit(t, q, 1, qSide, weightsOf(8, 3*qSide*qSide), "features")
	}
	if e.Weights["w1"] == nil || len(e.Nodes) != 4 {
		t.Error("the float model was changed")
	}
}

// What could make a scale of zero, or a bias that fits no int32, still computes about the same.
func TestExtremeNumbers(t *testing.T) {
	b := onnx.NewBuilder("extreme", "")
	b.Input("input", onnx.Batched(3, qSide, qSide))
	weights := []float32{0, 0, 0, 1e-9, 1e-9, 1e-9, 1, 1, 1}
	b.Weights("w", weights, 3, 3, 1, 1)
	b.Weights("b", []float32{5, 7, 0}, 3)
	b.Node("Conv", "c", []string{"input", "w", "b"})
	b.Node("GlobalAveragePool", "features", []string{"c"})
	b.Output("features", onnx.Batched(3, 1, 1))
	e := editOf(t, b)
	if err := e.Simplify(); err != nil {
		t.Fatal(err)
	}
	q, err := e.Quantise(e.Layers("features"), onnx.QDQOptions{Ranges: map[string]onnx.Range{"input": {Min: -1, Max: 1}, "c": {Min: -3, Max: 7}}})
	if err != nil {
		t.Fatal(err)
	}
	input := weightsOf(8, 3*qSide*qSide)
	want, got := runEdit(t, e, 1, qSide, input, "features")[0], runEdit(t, q, 1, qSide, input, "features")[0]
	if d := farthest(t, want, got); d > 0.05 {
		t.Errorf("%v, in floats %v", got, want)
	}
	if _, err := e.Quantise(e.Layers("features"), onnx.QDQOptions{Ranges: map[string]onnx.Range{"input": {Min: -1, Max: float32(math.Inf(1))}, "c": {}}}); err == nil {
		t.Error("an infinite range is taken")
	}
}

// What only operations in float take is not rounded: before a sigmoid, in a sum with a float, at the end.
// What lies between layers is, also through a pooling.
func TestWhatIsQuantised(t *testing.T) {
	b := onnx.NewBuilder("mixed", "")
	b.Input("input", onnx.Batched(3, qSide, qSide))
	b.Weights("w", weightsOf(1, 9), 3, 3, 1, 1)
	conv := func(name, in string) string {
		return b.Node("Conv", name, []string{in, "w"}, onnx.Ints("kernel_shape", 1, 1))
	}
	pool := b.Node("MaxPool", "pool", []string{conv("one", "input")}, onnx.Ints("kernel_shape", 2, 2), onnx.Ints("pads", 0, 0, 1, 1))
	swish := b.Node("Sigmoid", "sigmoid", []string{conv("two", pool)})
	sum := b.Node("Add", "sum", []string{conv("three", pool), swish})
	token := b.Node("Flatten", "flat", []string{b.Node("Transpose", "turned", []string{conv("four", sum)}, onnx.Ints("perm", 0, 2, 3, 1))}, onnx.Int("axis", 1))
	b.Node("Relu", "features", []string{token})
	b.Node("GlobalAveragePool", "mean", []string{conv("five", sum)})
	b.Output("features", onnx.Batched(3*qSide*qSide))
	b.Output("mean", onnx.Batched(3, 1, 1))
	e := editOf(t, b)
	if err := e.Simplify(); err != nil {
		t.Fatal(err)
	}
	layers := e.Layers("features")
	if len(layers) != 5 {
		t.Fatalf("%d layers", len(layers))
	}
	if got, want := e.QuantisedValues(layers), []string{"input", "one", "pool", "sum", "five"}; !slices.Equal(got, want) {
		t.Errorf("quantised %q, want %q", got, want)
	}
	ranges := map[string]onnx.Range{"input": {Min: -1, Max: 1}, "one": {Min: -1, Max: 2}, "pool": {Min: -3, Max: 1}, "sum": {Max: 1}, "five": {Max: 1}}
	q, err := e.Quantise(layers, onnx.QDQOptions{Ranges: ranges})
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := q.Weights["one.scale"].Floats()
	both, err2 := q.Weights["pool.scale"].Floats()
	if err1 != nil || err2 != nil || one[0] != both[0] || one[0] != float32(5.0/255) {
		t.Errorf("a pooling's scales are %v and %v: they must be one, of the widest range", one, both)
	}
	runEdit(t, q, 1, qSide, weightsOf(8, 3*qSide*qSide), "features", "mean")
}
