package graph

import (
	"fmt"
	"math"
	"strings"

	"github.com/imgvec/imgvec/internal/onnx"
)

// vit is a Vision Transformer while it is built. Tokens are [N, tokens, width] all along.
type vit struct {
	*network
	s vitSpec
	k vitKeys
}

// vitOpset has LayerNormalization.
const vitOpset = 17

// graph adds all of it.
func (v *vit) graph() {
	v.UseOpset(vitOpset)
	s := &v.s
	v.Input(Input, onnx.Batched(3, s.side, s.side))
	v.constants()
	x := v.tokens()
	if s.preNorm {
		x = v.layerNorm(x, "norm_pre", v.k.preNorm)
	}
	for i := range s.depth {
		x = v.block(x, i)
	}
	features := v.pooled(x)
	if s.projection > 0 {
		v.Output(Features, onnx.Batched(s.projection))
		return
	}
	v.Output(Features, onnx.Batched(s.width))
	v.head(features, x)
}

// constants are those that every block shares.
func (v *vit) constants() {
	s := &v.s
	head := s.width / s.heads
	v.Int64s("shape.heads", []int64{0, 0, s.heads, head}, 4)
	v.Int64s("shape.tokens", []int64{0, 0, s.width}, 3)
	if s.pool != poolMean {
		v.Int64s("first", []int64{0})
	}
	one := func(name string, value float64) { v.Weights(name, []float32{float32(value)}) }
	if s.gated && s.pool != poolAttention {
		return
	}
	switch s.act {
	case actQuick:
		one("gelu.slope", 1.702)
		return
	case actTanh:
		one("gelu.cubic", 0.044715)
		one("gelu.root", math.Sqrt(2/math.Pi))
	default:
		one("gelu.root2", math.Sqrt2)
	}
	one("one", 1)
	one("half", 0.5)
}

// tokens are the patches' projections with the class token and the registers before them, and their positions added.
// What comes before is put there by padding with zeros and one addition of a constant, which holds the positions too.
func (v *vit) tokens() string {
	s := &v.s
	weight := v.Weights("patch.weight", v.load(v.k.patch+"weight", s.width, 3, s.patch, s.patch), s.width, 3, s.patch, s.patch)
	inputs := []string{Input, weight}
	if s.patchBias {
		inputs = append(inputs, v.Weights("patch.bias", v.load(v.k.patch+"bias", s.width), s.width))
	}
	x := v.Node("Conv", "patch", inputs, onnx.Ints("dilations", 1, 1), onnx.Int("group", 1),
		onnx.Ints("kernel_shape", s.patch, s.patch), onnx.Ints("pads", 0, 0, 0, 0), onnx.Ints("strides", s.patch, s.patch))
	x = v.Node("Reshape", "patch.flat", []string{x, v.Int64s("shape.patches", []int64{0, s.width, s.grid * s.grid}, 3)})
	x = v.Node("Transpose", "patches", []string{x}, onnx.Ints("perm", 0, 2, 1))
	if s.prefix() > 0 {
		x = v.Node("Pad", "tokens", []string{x, v.Int64s("pads", []int64{0, s.prefix(), 0, 0, 0, 0}, 6)})
	}
	return v.Node("Add", "embedded", []string{x, v.Weights("embedding", v.embedding(), 1, s.prefix()+s.grid*s.grid, s.width)})
}

// embedding is what is added to the tokens: class token and registers with the positions that they have, then the
// patches' positions.
func (v *vit) embedding() []float32 {
	s := &v.s
	shape := []int64{1, s.positions, s.width}
	if have, ok := v.src.Shape(v.k.position); ok && len(have) == 2 {
		shape = shape[1:]
	}
	positions := v.load(v.k.position, shape...)
	var before []float32
	if s.class {
		shape := []int64{1, 1, s.width}
		if have, ok := v.src.Shape(v.k.class); ok && len(have) == 1 {
			shape = shape[2:]
		}
		before = v.load(v.k.class, shape...)
	}
	if s.registers > 0 {
		before = append(before, v.load(v.k.registers, 1, s.registers, s.width)...)
	}
	if v.failed() {
		return nil
	}
	for i, p := range positions[:s.placed*s.width] {
		before[i] += p
	}
	positions = positions[s.placed*s.width:]
	if s.grid != s.oldGrid {
		positions = s.rule.resample(positions, int(s.oldGrid), int(s.grid), int(s.width))
	}
	return append(before, positions...)
}

func (v *vit) layerNorm(x, name, stem string) string {
	inputs := []string{
		x, v.Weights(name+".weight", v.load(stem+"weight", v.s.width), v.s.width), v.Weights(name+".bias", v.load(stem+"bias", v.s.width), v.s.width),
	}
	return v.Node("LayerNormalization", name, inputs, onnx.Int("axis", -1), onnx.Float32("epsilon", float32(v.s.epsilon)))
}

// block adds x + attention(norm(x)), then x + mlp(norm(x)). Layer scales are folded into the layers before them.
func (v *vit) block(x string, i int64) string {
	s, name, key := &v.s, fmt.Sprintf("block%d", i), fmt.Sprintf(v.k.block, i)
	y := v.layerNorm(x, name+".norm1", key+v.k.norm1)
	y = v.attention(y, name+".attention", key)
	x = v.Node("Add", name+".add1", []string{x, y})
	y = v.layerNorm(x, name+".norm2", key+v.k.norm2)
	out := v.layerScale(v.dense(key+v.k.fc2, s.width, s.hidden, true), key+v.k.scale2)
	in := v.prefixed(key, v.k.fc1)
	if s.gated {
		y = v.swiglu(y, name+".mlp", v.dense(in, 2*s.hidden, s.width, true), out)
	} else {
		y = v.mlp(y, name+".mlp", v.dense(in, s.hidden, s.width, true), out)
	}
	return v.Node("Add", name+".add2", []string{x, y})
}

// prefixed puts a prefix before each of several joined names.
func (v *vit) prefixed(prefix, stems string) string {
	return prefix + strings.ReplaceAll(stems, "+", "+"+prefix)
}

// attention is softmax(q k^T / sqrt(d)) v over heads; the division is folded into q's weights.
func (v *vit) attention(x, name, key string) string {
	s := &v.s
	qkv := v.dense(v.prefixed(key, v.k.qkv), 3*s.width, s.width, s.qkvBias)
	q, k, value := qkv.rows(0, s.width), qkv.rows(s.width, 2*s.width), qkv.rows(2*s.width, 3*s.width)
	q.scale(1 / math.Sqrt(float64(s.width/s.heads)))
	x = v.attend(name, v.split(x, name+".q", q, 0, 2, 1, 3), v.split(x, name+".k", k, 0, 2, 3, 1), v.split(x, name+".v", value, 0, 2, 1, 3))
	out := v.dense(key+v.k.out, s.width, s.width, true)
	return v.linear(x, name+".out", v.layerScale(out, key+v.k.scale1))
}

// split is a linear layer and its outputs by heads: [N, tokens, heads, d], then transposed.
func (v *vit) split(x, name string, d dense, perm ...int64) string {
	x = v.Node("Reshape", name+".heads", []string{v.linear(x, name, d), "shape.heads"})
	return v.Node("Transpose", name+".split", []string{x}, onnx.Ints("perm", perm...))
}

// attend takes q [N, heads, queries, d], k [N, heads, d, tokens] and v [N, heads, tokens, d] to [N, queries, width].
func (v *vit) attend(name, q, k, value string) string {
	x := v.Node("MatMul", name+".scores", []string{q, k})
	x = v.Node("Softmax", name+".softmax", []string{x}, onnx.Int("axis", -1))
	x = v.Node("MatMul", name+".context", []string{x, value})
	x = v.Node("Transpose", name+".context.tokens", []string{x}, onnx.Ints("perm", 0, 2, 1, 3))
	return v.Node("Reshape", name+".merged", []string{x, "shape.tokens"})
}

func (v *vit) mlp(x, name string, in, out dense) string {
	return v.linear(v.gelu(v.linear(x, name+".in", in)), name+".out", out)
}

// swiglu is out(silu(a) * b), where a and b are the halves of in.
func (v *vit) swiglu(x, name string, in, out dense) string {
	a := v.linear(x, name+".gate", in.rows(0, in.out/2))
	b := v.linear(x, name+".in", in.rows(in.out/2, in.out))
	a = v.Node("Mul", name+".silu", []string{a, v.Node("Sigmoid", name+".sigmoid", []string{a})})
	return v.linear(v.Node("Mul", name+".gated", []string{a, b}), name+".out", out)
}

// gelu adds the activation in the operations that ONNX Runtime and OpenVINO recognise and fuse.
func (v *vit) gelu(x string) string {
	node := func(op, tail string, inputs ...string) string { return v.Node(op, x+".gelu"+tail, inputs) }
	switch v.s.act {
	case actQuick:
		return node("Mul", "", x, node("Sigmoid", ".sigmoid", node("Mul", ".slope", x, "gelu.slope")))
	case actTanh:
		cubic := node("Mul", ".cubic", node("Mul", ".square", x, x), "gelu.cubic")
		inner := node("Mul", ".inner", node("Mul", ".root", x, "gelu.root"), node("Add", ".plus", cubic, "one"))
		sum := node("Add", ".sum", node("Tanh", ".tanh", inner), "one")
		return node("Mul", "", node("Mul", ".half", x, "half"), sum)
	}
	erf := node("Erf", ".erf", node("Div", ".root2", x, "gelu.root2"))
	return node("Mul", "", node("Mul", ".product", x, node("Add", ".sum", erf, "one")), "half")
}
