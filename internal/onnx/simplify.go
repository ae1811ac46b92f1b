package onnx

import (
	"fmt"
	"math"
	"slices"
)

// Simplify brings the graph into the plain form that quantisation works on, and changes no result but by rounding: float16
// becomes float32 (also of inputs and outputs), weights behind DequantizeLinear become float32, Identity and Dropout
// go, BatchNormalization is folded into the convolution before it, a 1x1 convolution with strides becomes a subsampling and
// a convolution without, and old operators become those of set 13. It fails with ErrQuantised where the model
// computes in int8.
func (e *Edit) Simplify() error {
	for _, n := range e.Nodes {
		if plain := (&Node{Op: n.Op}); plain.quantised() {
			return fmt.Errorf("%w (node %q, %s)", ErrQuantised, n.Name, n.Op)
		}
	}
	if err := e.raise(); err != nil {
		return err
	}
	for _, step := range []func() error{e.widen, e.dequantise, e.dropIdentities, e.foldBatchNorms, e.subsample} {
		if err := step(); err != nil {
			return err
		}
	}
	e.Prune()
	return nil
}

// sameSince7 are operators that mean the same in operator sets 7 to 13, for the forms that networks for pictures use.
var sameSince7 = map[string]bool{
	"Conv": true, "Relu": true, "LeakyRelu": true, "PRelu": true, "Sigmoid": true, "Tanh": true, "MaxPool": true, "AveragePool": true,
	"GlobalAveragePool": true, "GlobalMaxPool": true, "Concat": true, "Gemm": true, "MatMul": true, "Add": true, "Sub": true, "Mul": true,
	"Div": true, "Flatten": true, "Reshape": true, "Transpose": true, "BatchNormalization": true, "Identity": true, "Cast": true,
	"Shape": true, "Gather": true, "Constant": true, "Dropout": true, "LRN": true, "Pow": true, "Sqrt": true, "Exp": true, "Erf": true,
	"Neg": true, "Abs": true, "DequantizeLinear": true, "InstanceNormalization": true, "Elu": true, "HardSigmoid": true, "Clip": true,
}

// quantOpset is the first operator set whose DequantizeLinear takes a scale for each channel.
const quantOpset = 13

// raise makes the model one of operator set 13, where it is older.
func (e *Edit) raise() error {
	if e.opset >= quantOpset {
		return nil
	}
	if e.opset < minOpset {
		return fmt.Errorf("the model is of operator set %d; export it anew with %d or later", e.opset, quantOpset)
	}
	for _, n := range e.Nodes {
		switch {
		case n.Domain != "":
		case (n.Op == "Softmax" || n.Op == "LogSoftmax") && n.attr("axis") == nil:
			n.set(Int("axis", 1)) // the default was 1; the same for [N, C] and [N, C, 1, 1], which classifiers end in
		case !sameSince7[n.Op]:
			return fmt.Errorf("the model is of operator set %d, in which %s (node %q) is another operation than in %d; export it anew with %d or later",
				e.opset, n.Op, n.Name, quantOpset, quantOpset)
		case n.Op == "Clip" && len(n.Inputs) == 1:
			low, high := n.float("min", -math.MaxFloat32), n.float("max", math.MaxFloat32)
			n.attrs = nil
			n.Inputs = append(n.Inputs, e.SetFloats(n.Outputs[0]+".min", []float32{low}), e.SetFloats(n.Outputs[0]+".max", []float32{high}))
		}
	}
	e.opset = quantOpset
	return nil
}

// widen makes float32 of float16.
func (e *Edit) widen() error {
	half := false
	for name, w := range e.Weights {
		if w.Elem != Float16 {
			continue
		}
		values, err := w.Floats()
		if err != nil {
			return fmt.Errorf("weights %q: %w", name, err)
		}
		half = true
		e.SetFloats(name, values, w.Dims...)
	}
	for _, list := range [][]Value{e.Inputs, e.Outputs} {
		for i := range list {
			if v := &list[i]; v.Elem == Float16 {
				half, v.Elem = true, Float
				e.ports[v.Name] = valueInfo(v.Name, Float, v.Shape)
			}
		}
	}
	if !half {
		return nil
	}
	for _, n := range e.Nodes {
		if n.Op == "Cast" && n.int("to", 0) == int64(Float16) {
			n.set(Int("to", int64(Float)))
		}
	}
	return nil
}

// dequantise makes float32 weights of those that are stored in 8 bits.
func (e *Edit) dequantise() error {
	var kept []*EditNode
	for _, n := range e.Nodes {
		stored := n.Op == "DequantizeLinear" && len(n.Inputs) > 1 && e.Weights[n.Inputs[0]] != nil
		if !stored {
			kept = append(kept, n)
			continue
		}
		values, err := e.dequantised(n)
		if err != nil {
			return fmt.Errorf("weights %q: %w", n.Inputs[0], err)
		}
		e.SetFloats(n.Outputs[0], values, e.Weights[n.Inputs[0]].Dims...)
	}
	e.Nodes = kept
	return nil
}

// dequantised computes DequantizeLinear of a constant: (x - zero) * scale, for the whole tensor or along an axis.
func (e *Edit) dequantised(n *EditNode) ([]float32, error) {
	w := e.Weights[n.Inputs[0]]
	values, err := w.Floats()
	if err != nil {
		return nil, err
	}
	scale, err := e.constantFloats(n.Inputs[1])
	if err != nil {
		return nil, err
	}
	zero := make([]float32, len(scale))
	if len(n.Inputs) > 2 && n.Inputs[2] != "" {
		if zero, err = e.constantFloats(n.Inputs[2]); err != nil {
			return nil, err
		}
	}
	axis := n.int("axis", 1)
	if axis < 0 {
		axis += int64(len(w.Dims))
	}
	inner := 1
	if len(scale) > 1 {
		if axis < 0 || axis >= int64(len(w.Dims)) || w.Dims[axis] != int64(len(scale)) || len(zero) != len(scale) || n.int("block_size", 0) != 0 {
			return nil, fmt.Errorf("%d scales for shape %v along axis %d", len(scale), w.Dims, axis)
		}
		for _, d := range w.Dims[axis+1:] {
			inner *= int(d)
		}
	}
	if len(scale) == 0 || len(zero) != len(scale) {
		return nil, fmt.Errorf("%d scales and %d zero points", len(scale), len(zero))
	}
	for i := range values {
		c := i / inner % len(scale)
		values[i] = (values[i] - zero[c]) * scale[c]
	}
	return values, nil
}

func (e *Edit) constantFloats(name string) ([]float32, error) {
	w := e.Weights[name]
	if w == nil {
		return nil, fmt.Errorf("%q is no constant", name)
	}
	return w.Floats()
}

// dropIdentities takes out nodes that pass their input on.
func (e *Edit) dropIdentities() error {
	alias := map[string]string{}
	var kept []*EditNode
	for _, n := range e.Nodes {
		for i, in := range n.Inputs {
			if to, ok := alias[in]; ok {
				n.Inputs[i] = to
			}
		}
		passes := n.Domain == "" && (n.Op == "Identity" || n.Op == "Dropout" || n.Op == "Cast" && n.int("to", 0) == int64(Float) && e.isFloat(n.Inputs[0]))
		if passes && !e.IsOutput(n.Outputs[0]) {
			alias[n.Outputs[0]] = n.Inputs[0]
			continue
		}
		kept = append(kept, n)
	}
	e.Nodes = kept
	return nil
}

// isFloat tells whether a value surely is float32: an input or a constant of that type.
func (e *Edit) isFloat(value string) bool {
	if w := e.Weights[value]; w != nil {
		return w.Elem == Float
	}
	i := slices.IndexFunc(e.Inputs, func(v Value) bool { return v.Name == value })
	return i >= 0 && e.Inputs[i].Elem == Float
}

// foldBatchNorms multiplies a normalisation into the convolution that it follows.
func (e *Edit) foldBatchNorms() error {
	producer, consumers := e.producers(), e.consumers()
	var kept []*EditNode
	for _, n := range e.Nodes {
		kept = append(kept, n)
		if n.Op != "BatchNormalization" || n.Domain != "" || len(n.Inputs) < 5 || n.int("training_mode", 0) != 0 {
			continue
		}
		conv := producer[n.Inputs[0]]
		if conv == nil || conv.Op != "Conv" || len(consumers[n.Inputs[0]]) != 1 || e.IsOutput(n.Inputs[0]) || !e.floatWeight(conv.Inputs[1]) {
			continue
		}
		if err := e.foldBatchNorm(conv, n); err != nil {
			return err
		}
		kept = kept[:len(kept)-1]
		conv.Outputs[0] = n.Outputs[0]
		producer[n.Outputs[0]] = conv
	}
	e.Nodes = kept
	return nil
}

// floatWeight tells whether a value is a float32 constant.
func (e *Edit) floatWeight(name string) bool {
	return e.Weights[name] != nil && e.Weights[name].Elem == Float
}

func (e *Edit) foldBatchNorm(conv, n *EditNode) error {
	var p [4][]float32 // scale, bias, mean, variance
	for i := range p {
		values, err := e.constantFloats(n.Inputs[i+1])
		if err != nil {
			return fmt.Errorf("node %q: %w", n.Name, err)
		}
		p[i] = values
	}
	w := e.Weights[conv.Inputs[1]]
	weight, err := w.Floats()
	if err != nil {
		return err
	}
	bias := make([]float32, len(p[0]))
	if len(conv.Inputs) > 2 && conv.Inputs[2] != "" {
		if bias, err = e.constantFloats(conv.Inputs[2]); err != nil {
			return fmt.Errorf("node %q: %w", conv.Name, err)
		}
	}
	channels := len(bias)
	if channels == 0 || len(w.Dims) == 0 || w.Dims[0] != int64(channels) || slices.ContainsFunc(p[:], func(v []float32) bool { return len(v) != channels }) {
		return fmt.Errorf("node %q: it normalises %d channels of %v", n.Name, channels, w.Dims)
	}
	inner := len(weight) / channels
	epsilon := float64(n.float("epsilon", 1e-5))
	for c := range channels {
		factor := float64(p[0][c]) / math.Sqrt(float64(p[3][c])+epsilon)
		for i := range weight[c*inner : (c+1)*inner] {
			weight[c*inner+i] = float32(float64(weight[c*inner+i]) * factor)
		}
		bias[c] = float32((float64(bias[c])-float64(p[2][c]))*factor + float64(p[1][c]))
	}
	conv.Inputs = []string{
		conv.Inputs[0], e.SetFloats(n.Outputs[0]+".weight", weight, w.Dims...), e.SetFloats(n.Outputs[0]+".bias", bias, int64(channels)),
	}
	return nil
}
