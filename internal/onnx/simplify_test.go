package onnx_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/testdata"
)

// weightsOf draws weights that are the same in every run.
func weightsOf(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64()) / 4
	}
	return out
}

// editOf parses a builder's model for changes.
func editOf(t *testing.T, b *onnx.Builder) *onnx.Edit {
	t.Helper()
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		t.Fatal(err)
	}
	return editOfFile(t, file.Bytes())
}

func editOfFile(t *testing.T, file []byte) *onnx.Edit {
	t.Helper()
	m, err := onnx.Parse(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Edit(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// runEdit writes the graph and runs it on ONNX Runtime over an input of [n, 3, side, side] floats.
func runEdit(t *testing.T, e *onnx.Edit, n, side int, input []float32, outputs ...string) [][]float32 {
	t.Helper()
	testdata.Home(t)
	if _, err := ort.Start(""); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Write(file, "made by a test"), file.Close()); err != nil {
		t.Fatal(err)
	}
	taps, err := ort.OpenTaps(path, "input", outputs, ort.Options{Streams: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer taps.Close() //nolint:errcheck // a test's
	buffer, err := ort.NewBuffer(4 * len(input))
	if err != nil {
		t.Fatal(err)
	}
	defer buffer.Free()
	in, err := buffer.Tensor(ort.Float32, []int64{int64(n), 3, int64(side), int64(side)})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Destroy() //nolint:errcheck // a test's
	copy(in.Float32(), input)
	got := make([][]float32, len(outputs))
	err = taps.Run(in, func(i int, _ []int64, values []float32) error {
		got[i] = append([]float32{}, values...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func farthest(t *testing.T, a, b []float32) float64 {
	t.Helper()
	if len(a) != len(b) || len(a) == 0 {
		t.Fatalf("%d and %d values", len(a), len(b))
	}
	most := 0.0
	for i := range a {
		most = max(most, math.Abs(float64(a[i])-float64(b[i])))
	}
	return most
}

const testSide = 17 // odd, so that strides leave a rest

// oldLayout is a residual network whose 1x1 convolutions have the strides, with a normalisation, a Dropout and an Identity.
func oldLayout() *onnx.Builder {
	b := onnx.NewBuilder("old", "")
	b.Input("input", onnx.Batched(3, testSide, testSide))
	conv := func(name, in string, inputs, kernel, stride int64) string {
		b.Weights(name+".weight", weightsOf(uint64(len(name)), int(8*inputs*kernel*kernel)), 8, inputs, kernel, kernel)
		b.Weights(name+".bias", weightsOf(9, 8), 8)
		return b.Node("Conv", name, []string{in, name + ".weight", name + ".bias"}, onnx.Ints("kernel_shape", kernel, kernel),
			onnx.Ints("strides", stride, stride), onnx.Ints("pads", kernel/2, kernel/2, kernel/2, kernel/2))
	}
	x := conv("stem", "input", 3, 3, 1)
	for i, part := range []string{"scale", "shift", "mean", "variance"} {
		values := weightsOf(uint64(30+i), 8)
		for k := range values {
			values[k] = float32(math.Abs(float64(values[k]))) + 0.1
		}
		b.Weights(part, values, 8)
	}
	x = b.Node("BatchNormalization", "norm", []string{x, "scale", "shift", "mean", "variance"}, onnx.Float32("epsilon", 0.01))
	x = b.Node("Relu", "stem.relu", []string{b.Node("Identity", "same", []string{x})})
	y := b.Node("Relu", "three.relu", []string{conv("three", x, 8, 3, 1)})
	y = b.Node("Add", "sum", []string{conv("one", y, 8, 1, 1), x})
	y = b.Node("Dropout", "drop", []string{b.Node("Relu", "sum.relu", []string{y})})
	y = b.Node("Add", "sum2", []string{conv("left", y, 8, 1, 2), conv("right", y, 8, 1, 2)})
	b.Node("GlobalAveragePool", "features", []string{y})
	b.Output("features", onnx.Batched(8, 1, 1))
	return b
}

func TestSimplifyKeepsResults(t *testing.T) {
	input := weightsOf(5, 2*3*testSide*testSide)
	before := runEdit(t, editOf(t, oldLayout()), 2, testSide, input, "features")[0]
	e := editOf(t, oldLayout())
	if err := e.Simplify(); err != nil {
		t.Fatal(err)
	}
	after := runEdit(t, e, 2, testSide, input, "features")[0]
	if d := farthest(t, before, after); d > 1e-4 {
		t.Errorf("the results differ by %v", d)
	}
	count := map[string]int{}
	for _, n := range e.Nodes {
		count[n.Op]++
	}
	// The strides of "left" and "right" moved through the sum into "three"; what the other summand skips is picked once.
	if count["BatchNormalization"] > 0 || count["Identity"] > 0 || count["Dropout"] > 0 || count["MaxPool"] != 1 || count["Conv"] != 5 {
		t.Errorf("operations %v", count)
	}
	for _, n := range e.Nodes {
		strides := onnx.Ints("strides", 1, 1)
		if n.Name == "three" {
			strides = onnx.Ints("strides", 2, 2)
		}
		if n.Op == "Conv" && !n.Has(strides) {
			t.Errorf("%s does not have strides %v", n.Name, strides)
		}
	}
}

// Where other nodes need all pixels, nothing moves over what makes them.
func TestStridesThatStay(t *testing.T) {
	b := oldLayout()
	b.Node("GlobalAveragePool", "all", []string{"sum.relu"})
	b.Output("all", onnx.Batched(8, 1, 1))
	e := editOf(t, b)
	if err := e.Simplify(); err != nil {
		t.Fatal(err)
	}
	input := weightsOf(5, 3*testSide*testSide)
	before := runEdit(t, editOf(t, b), 1, testSide, input, "features", "all")
	after := runEdit(t, e, 1, testSide, input, "features", "all")
	for i := range before {
		if d := farthest(t, before[i], after[i]); d > 1e-4 {
			t.Errorf("output %d differs by %v", i, d)
		}
	}
}

// Weights that are stored in int8 become floats; a model that computes in int8 is refused.
func TestStoredWeights(t *testing.T) {
	for _, file := range []string{"resnet50-pruned-int8w.onnx", "mobilenetv2-12-int8.onnx"} {
		data, err := os.ReadFile(testdata.Path(t, "models/"+file))
		if err != nil {
			t.Fatal(err)
		}
		e := editOfFile(t, data)
		err = e.Simplify()
		if strings.HasPrefix(file, "mobilenet") {
			if !errors.Is(err, onnx.ErrQuantised) {
				t.Errorf("%s: %v", file, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range e.Nodes {
			if n.Op == "DequantizeLinear" {
				t.Errorf("%s dequantises", n.Name)
			}
		}
		if layers := e.Layers("features"); len(layers) != 53 {
			t.Errorf("%d layers", len(layers))
		}
		input := weightsOf(5, 3*224*224)
		stored := runEdit(t, editOfFile(t, data), 1, 224, input, "features")[0]
		if d := farthest(t, stored, runEdit(t, e, 1, 224, input, "features")[0]); d > 1e-3 {
			t.Errorf("the features differ by %v", d)
		}
	}
}

func TestOldOperators(t *testing.T) {
	clip := func(opset uint64, op string) []byte {
		text := func(num protowire.Number, s string) []byte {
			return protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), s)
		}
		number := func(num protowire.Number, v uint64) []byte {
			return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
		}
		attr := append(text(1, "max"), protowire.AppendFixed32(protowire.AppendTag(nil, 2, protowire.Fixed32Type), math.Float32bits(0.25))...)
		attr = append(attr, number(20, 1)...)
		node := append(append(append(text(1, "input"), text(2, "features")...), text(4, op)...), text(5, string(attr))...)
		port := func(name string) string {
			return string(append(text(1, name), text(2, string(text(1, string(number(1, 1)))))...))
		}
		graph := append(append(append(text(1, string(node)), text(2, "g")...), text(11, port("input"))...), text(12, port("features"))...)
		return append(append(number(1, 7), text(7, string(graph))...), text(8, string(append(text(1, ""), number(2, opset)...)))...)
	}
	e := editOfFile(t, clip(7, "Clip"))
	if err := e.Simplify(); err != nil {
		t.Fatal(err)
	}
	input := weightsOf(5, 3*testSide*testSide)
	for i, v := range runEdit(t, e, 1, testSide, input, "features")[0] {
		if v != min(input[i], 0.25) {
			t.Fatalf("Clip of %v is %v", input[i], v)
		}
	}
	for name, c := range map[string]struct {
		opset uint64
		op    string
		want  string
	}{"other operation": {10, "Upsample", "Upsample"}, "very old": {6, "Clip", "operator set 6"}} {
		if err := editOfFile(t, clip(c.opset, c.op)).Simplify(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "export it anew") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
