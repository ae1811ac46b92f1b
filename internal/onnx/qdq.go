package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Layer is one operation with weights that can compute in int8.
type Layer struct {
	Name    string // of the node, for people
	Op      string
	Input   string // the value that is quantised before it
	Output  string // the value behind it and its activation; quantised where the operation needs that
	Weights int64  // elements

	node *EditNode
	axis int64 // of the weights, along which each channel has a scale
}

// Range is what the values of a tensor lie in. Values outside of it are cut off.
type Range struct{ Min, Max float32 }

// QDQOptions say how a graph is quantised.
type QDQOptions struct {
	Ranges map[string]Range // of every value that QuantisedValues names
	Float  map[string]bool  // layers that stay in float, by Layer.Name
	Only   string           // the one layer to quantise; "": all
}

// Layers lists the convolutions with constant weights, and the matrix products that the named outputs need, in the graph's
// order. A product that only other outputs need, the classifier behind the features, is not listed: it costs next to
// nothing in float. Simplify must have run.
func (e *Edit) Layers(outputs ...string) []Layer {
	needed := e.ancestors(outputs)
	q := e.newQuantiser()
	var layers []Layer
	names := map[string]bool{}
	for _, n := range e.Nodes {
		axis, ok := e.quantisable(n)
		if !ok || !needed[n] && n.Op != "Conv" {
			continue
		}
		name := n.Name
		if name == "" || names[name] {
			name = n.Outputs[0]
		}
		names[name] = true
		w := e.Weights[n.Inputs[1]]
		layers = append(layers, Layer{
			Name: name, Op: n.Op, Input: n.Inputs[0], Output: q.activated(n.Outputs[0]),
			Weights: int64(len(w.raw)) / 4, node: n, axis: axis,
		})
	}
	return layers
}

// quantisable tells whether a node can compute in int8, and along which axis of its weights the channels are.
func (e *Edit) quantisable(n *EditNode) (axis int64, ok bool) {
	if n.Domain != "" || len(n.Inputs) < 2 || len(n.Outputs) != 1 || !e.floatWeight(n.Inputs[1]) || e.Weights[n.Inputs[0]] != nil {
		return 0, false
	}
	rank := len(e.Weights[n.Inputs[1]].Dims)
	switch n.Op {
	case "Conv":
		return 0, rank >= 3
	case "Gemm":
		plain := n.float("alpha", 1) == 1 && n.float("beta", 1) == 1 && n.int("transA", 0) == 0
		return 1 - n.int("transB", 0), plain && rank == 2
	case "MatMul":
		return 1, rank == 2
	}
	return 0, false
}

// quantiser decides which values are quantised, and writes the nodes for it.
type quantiser struct {
	*Edit
	opts      QDQOptions
	producer  map[string]*EditNode
	consumer  map[string][]*EditNode
	quantised map[string]bool   // values
	same      map[string]string // a value whose scale is that of another; followed to the end by root
}

func (e *Edit) newQuantiser() *quantiser {
	return &quantiser{Edit: e, producer: e.producers(), consumer: e.consumers(), quantised: map[string]bool{}, same: map[string]string{}}
}

// activated is the value behind an activation that providers fuse into the operation that makes value; without one value.
func (q *quantiser) activated(value string) string {
	for range 2 {
		next := q.consumer[value]
		if len(next) != 1 || q.IsOutput(value) || next[0].Domain != "" || next[0].Op != "Relu" && !q.clip(next[0]) {
			return value
		}
		value = next[0].Outputs[0]
	}
	return value
}

// clip tells whether a node is a Clip between constants.
func (q *quantiser) clip(n *EditNode) bool {
	return n.Op == "Clip" && !slices.ContainsFunc(n.Inputs[1:], func(in string) bool { return in != "" && q.Weights[in] == nil })
}

// QuantisedValues are the values that Quantise asks a range of, in the graph's order.
func (e *Edit) QuantisedValues(layers []Layer) []string {
	q := e.newQuantiser()
	q.plan(layers)
	return q.values()
}

func (q *quantiser) values() []string {
	var list []string
	add := func(v string) {
		if q.quantised[v] && q.Weights[v] == nil {
			list = append(list, v)
		}
	}
	for _, v := range q.Inputs {
		add(v.Name)
	}
	for _, n := range q.Nodes {
		for _, out := range n.Outputs {
			add(out)
		}
	}
	return list
}

// plan marks the values: what layers take; what convolutions give; and what lies between those, through additions,
// concatenations and poolings, so that no tensor goes to floats and back. Outputs of the graph stay as they are.
func (q *quantiser) plan(layers []Layer) {
	on := map[*EditNode]Layer{}
	for _, l := range layers {
		if q.opts.Float[l.Name] || q.opts.Only != "" && q.opts.Only != l.Name {
			continue
		}
		on[q.producer[l.node.Outputs[0]]] = l
		q.quantised[l.Input] = true
		if l.Op == "Conv" && !q.IsOutput(l.Output) {
			q.quantised[l.Output] = true // ONNX Runtime's integer convolutions have quantised outputs only
		}
	}
	for _, n := range q.Nodes { // in order: what a node takes was seen before
		if n.Domain == "" && on[n].node == nil {
			q.through(n)
		}
	}
}

// through marks what a node gives where all that it takes is quantised and it can compute on that.
func (q *quantiser) through(n *EditNode) {
	for i, in := range n.Inputs {
		if i > 0 && (n.Op == "Reshape" || n.Op == "Clip") {
			break
		}
		if !q.quantised[in] {
			return
		}
	}
	out := n.Outputs[0]
	switch n.Op {
	case "Add":
		out = q.activated(out)
		if len(n.Inputs) != 2 || !q.goesOn(out) {
			return
		}
	case "MaxPool", "Flatten", "Reshape", "Transpose":
		if len(n.Outputs) > 1 && n.Outputs[1] != "" || !q.goesOn(out) {
			return
		}
		q.join(n.Inputs[0], out)
	case "Concat":
		if !q.goesOn(out) {
			return
		}
		for _, in := range n.Inputs {
			q.join(in, out)
		}
	default:
		return
	}
	if !q.IsOutput(out) {
		q.quantised[out] = true
	}
}

// goesOn tells whether a layer or a passing node computes on a value in int8; behind the last one it stays float, which
// costs nothing and is more exact.
func (q *quantiser) goesOn(value string) bool {
	if q.quantised[value] {
		return true
	}
	return slices.ContainsFunc(q.consumer[value], func(n *EditNode) bool {
		switch n.Op {
		case "Add", "Concat":
			return n.Domain == ""
		case "MaxPool", "Flatten", "Reshape", "Transpose":
			return n.Domain == "" && len(n.Outputs) > 0 && q.goesOn(n.Outputs[0])
		}
		return false
	})
}

// root is the value whose scale a value has.
func (q *quantiser) root(v string) string {
	for q.same[v] != "" {
		v = q.same[v]
	}
	return v
}

func (q *quantiser) join(a, b string) {
	if a, b = q.root(a), q.root(b); a != b {
		q.same[a] = b
	}
}

// Quantise writes QuantizeLinear and DequantizeLinear around the layers, weights and biases as integers: weights in int8,
// symmetric, a scale for each channel; activations in uint8, a scale and a zero point for each tensor; biases in int32. e is
// left as it is.
func (e *Edit) Quantise(layers []Layer, opts QDQOptions) (*Edit, error) {
	q := e.Clone().newQuantiser()
	q.opts = opts
	q.plan(layers)
	params, err := q.params()
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		if opts.Float[l.Name] || opts.Only != "" && opts.Only != l.Name {
			continue
		}
		node := q.producer[l.node.Outputs[0]]
		if err := q.weights(node, l.axis, params[l.Input].scale); err != nil {
			return nil, fmt.Errorf("layer %q: %w", l.Name, err)
		}
	}
	q.insert(params)
	q.Prune()
	return q.Edit, nil
}

// param is how a value is quantised: real = (stored - zero) * scale.
type param struct {
	scale float32
	zero  uint8
}

// params are those of every quantised value; values of one root have the widest range of them.
func (q *quantiser) params() (map[string]param, error) {
	wide := map[string]Range{}
	for _, v := range q.values() {
		r, ok := q.opts.Ranges[v]
		if !ok {
			return nil, fmt.Errorf("imgvec: BUG: no range of value %q", v)
		}
		if bad := float64(r.Max) - float64(r.Min); !(bad >= 0) || math.IsInf(bad, 0) {
			return nil, fmt.Errorf("value %q lies in %v to %v: the model computes numbers that are none", v, r.Min, r.Max)
		}
		root := q.root(v)
		before := wide[root]
		wide[root] = Range{min(before.Min, r.Min, 0), max(before.Max, r.Max, 0)}
	}
	all := map[string]param{}
	for _, v := range q.values() {
		all[v] = paramOf(wide[q.root(v)])
	}
	return all, nil
}

// leastScale keeps a scale, and its product with another one, far from where floats lose digits.
const leastScale = 1e-12

func paramOf(r Range) param {
	scale := max(leastScale, float32((float64(r.Max)-float64(r.Min))/math.MaxUint8))
	return param{scale, uint8(min(math.MaxUint8, max(0, math.RoundToEven(-float64(r.Min)/float64(scale)))))}
}

// weights puts a layer's weights and bias behind DequantizeLinear.
func (q *quantiser) weights(n *EditNode, axis int64, scale float32) error {
	w := q.Weights[n.Inputs[1]]
	values, err := w.Floats()
	if err != nil {
		return err
	}
	bias, err := q.bias(n, w.Dims[axis])
	if err != nil {
		return err
	}
	stored, scales, err := quantiseChannels(values, w.Dims, axis, scale, bias)
	if err != nil {
		return err
	}
	name, channels := n.Outputs[0], int64(len(scales))
	q.Weights[name+".weight.int8"] = &EditWeight{Int8, w.Dims, stored}
	q.Weights[name+".weight.zero"] = &EditWeight{Int8, []int64{channels}, make([]byte, channels)}
	q.SetFloats(name+".weight.scale", scales, channels)
	nodes := []*EditNode{newNode("DequantizeLinear", name+".weight.float",
		[]string{name + ".weight.int8", name + ".weight.scale", name + ".weight.zero"}, Int("axis", axis))}
	n.Inputs[1] = name + ".weight.float"
	if bias != nil {
		nodes = append(nodes, q.biasNode(n, bias, scales, scale))
	}
	at := slices.Index(q.Nodes, n)
	q.Nodes = slices.Insert(q.Nodes, at, nodes...)
	return nil
}

// bias is a layer's constant bias, one number a channel; nil where it has none, or one that stays a float.
func (q *quantiser) bias(n *EditNode, channels int64) ([]float32, error) {
	if n.Op == "MatMul" || len(n.Inputs) < 3 || !q.floatWeight(n.Inputs[2]) {
		return nil, nil
	}
	values, err := q.constantFloats(n.Inputs[2])
	if int64(len(values)) != channels {
		return nil, err
	}
	return values, err
}

// biasNode makes int32 of a bias, with the scale that the layer's sums have.
func (q *quantiser) biasNode(n *EditNode, bias, scales []float32, scale float32) *EditNode {
	name, channels := n.Outputs[0], int64(len(bias))
	stored := make([]byte, 0, 4*channels)
	sums := make([]float32, channels)
	for c, b := range bias {
		sums[c] = scales[c] * scale
		v := math.RoundToEven(float64(b) / float64(sums[c]))
		stored = binary.LittleEndian.AppendUint32(stored, uint32(int32(max(-maxBias, min(maxBias, v)))))
	}
	q.Weights[name+".bias.int32"] = &EditWeight{int32Elem, []int64{channels}, stored}
	q.Weights[name+".bias.zero"] = &EditWeight{int32Elem, []int64{channels}, make([]byte, 4*channels)}
	q.SetFloats(name+".bias.scale", sums, channels)
	n.Inputs[2] = name + ".bias.float"
	return newNode("DequantizeLinear", n.Inputs[2], []string{name + ".bias.int32", name + ".bias.scale", name + ".bias.zero"}, Int("axis", 0))
}

// maxBias is as large as a stored bias gets; half of int32's range is left to the sum.
const maxBias = 1 << 30

// quantiseChannels rounds weights to -127..127 with a scale for each channel along the axis. A channel whose bias would not
// fit gets a larger scale.
func quantiseChannels(values []float32, dims []int64, axis int64, input float32, bias []float32) (stored []byte, scales []float32, err error) {
	inner := 1
	for _, d := range dims[axis+1:] {
		inner *= int(d)
	}
	scales = make([]float32, dims[axis])
	for i, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, nil, errors.New("its weights hold numbers that are none")
		}
		c := i / inner % len(scales)
		scales[c] = max(scales[c], float32(math.Abs(float64(v))))
	}
	for c := range scales {
		scales[c] = max(leastScale, scales[c]/math.MaxInt8)
		if bias != nil {
			scales[c] = max(scales[c], float32(math.Abs(float64(bias[c]))/maxBias/float64(input)))
		}
	}
	stored = make([]byte, len(values))
	for i, v := range values {
		rounded := math.RoundToEven(float64(v) / float64(scales[i/inner%len(scales)]))
		stored[i] = byte(int8(max(-math.MaxInt8, min(math.MaxInt8, rounded))))
	}
	return stored, scales, nil
}

// insert puts QuantizeLinear and DequantizeLinear behind every quantised value and gives all that take it the latter's.
func (q *quantiser) insert(params map[string]param) {
	behind := func(v string) []*EditNode {
		p, ok := params[v]
		if !ok {
			return nil
		}
		scale, zero := q.SetFloats(v+".scale", []float32{p.scale}), v+".zero"
		q.Weights[zero] = &EditWeight{Uint8, nil, []byte{p.zero}}
		for _, n := range q.consumer[v] {
			for i, in := range n.Inputs {
				if in == v {
					n.Inputs[i] = v + ".dequantised"
				}
			}
		}
		return []*EditNode{
			newNode("QuantizeLinear", v+".quantised", []string{v, scale, zero}),
			newNode("DequantizeLinear", v+".dequantised", []string{v + ".quantised", scale, zero}),
		}
	}
	var nodes []*EditNode
	for _, v := range q.Inputs {
		nodes = append(nodes, behind(v.Name)...)
	}
	for _, n := range q.Nodes {
		nodes = append(nodes, n)
		for _, out := range n.Outputs {
			nodes = append(nodes, behind(out)...)
		}
	}
	q.Nodes = nodes
}

// WeightNoise is the squared error of a layer's weights in int8 as a share of their squares.
func (e *Edit) WeightNoise(l Layer) (float64, error) {
	w := e.Weights[l.node.Inputs[1]]
	values, err := w.Floats()
	if err != nil {
		return 0, err
	}
	stored, scales, err := quantiseChannels(values, w.Dims, l.axis, 1, nil)
	if err != nil {
		return 0, err
	}
	inner := 1
	for _, d := range w.Dims[l.axis+1:] {
		inner *= int(d)
	}
	var noise, power float64
	for i, v := range values {
		d := float64(v) - float64(int8(stored[i]))*float64(scales[i/inner%len(scales)])
		noise, power = noise+d*d, power+float64(v)*float64(v)
	}
	return noise / max(power, 1e-30), nil
}
