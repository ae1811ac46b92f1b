package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

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

// insert puts QuantizeLinear and DequantizeLinear behind every quantised value and gives what takes it the latter's. Layers
// that stay in float take the value as it was before: behind DequantizeLinear, ONNX Runtime 1.30 would quantise their weights
// on its own, with one scale for all channels.
func (q *quantiser) insert(params map[string]param) {
	behind := func(v string) []*EditNode {
		p, ok := params[v]
		if !ok {
			return nil
		}
		scale, zero := q.SetFloats(v+".scale", []float32{p.scale}), v+".zero"
		q.Weights[zero] = &EditWeight{Uint8, nil, []byte{p.zero}}
		for _, n := range q.consumer[v] {
			if _, layer := q.quantisable(n); layer {
				continue // one in int8 has no float weights any more
			}
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
