package onnx

import "fmt"

// maxWalk bounds a walk from node to node; a hostile graph may have cycles.
const maxWalk = 64

// passing are operations that do not change what a score is: the walk back to a classifier goes through them.
var passing = map[string]bool{
	"Softmax": true, "LogSoftmax": true, "Sigmoid": true, "Identity": true, "Cast": true, "Flatten": true, "Reshape": true,
	"Squeeze": true, "Dropout": true, "DequantizeLinear": true, "QuantizeLinear": true, "Clip": true,
	"Add": true, "QLinearAdd": true, "QLinearSigmoid": true,
}

// keepsRank are those of them that also keep the number of axes.
var keepsRank = map[string]bool{"Flatten": false, "Reshape": false, "Squeeze": false}

// classifierInput finds the linear layer with constant weights that makes output, and describes its input.
func (x *Index) classifierInput(output string) (Feature, bool) {
	rank := 0
	if v := x.Declared(output); v != nil {
		rank = len(v.Shape)
	}
	value := output
	for range maxWalk {
		n := x.Producer(value)
		if n == nil {
			return Feature{}, false
		}
		if f, ok := x.linear(n, rank); ok {
			f.Note = fmt.Sprintf("the features are the input of the last linear layer (value %q), found in the graph", f.Value)
			return f, true
		}
		if !passing[n.Op] {
			return Feature{}, false
		}
		if keeps, listed := keepsRank[n.Op]; listed && !keeps {
			rank = 0
		}
		if value = x.dataInput(n); value == "" {
			return Feature{}, false
		}
	}
	return Feature{}, false
}

// dataInput is the input of a passing node that is no constant.
func (x *Index) dataInput(n *Node) string {
	data := ""
	for i, in := range n.Inputs {
		if i > 0 && n.Op != "Add" && n.Op != "QLinearAdd" {
			break // shapes, scales, bounds
		}
		if n.Op == "QLinearAdd" && i != 0 && i != 3 {
			continue // A, scale, zero point, B, ...
		}
		if _, constant := x.Dims(in); constant {
			continue
		}
		if data != "" {
			return "" // a sum of two computed values is no bias
		}
		data = in
	}
	return data
}

// linear describes the input of a Gemm or a MatMul with constant weights. A MatMul by a matrix keeps the rank, so the
// rank of its output tells that of its input.
func (x *Index) linear(n *Node, rank int) (Feature, bool) {
	weight, transposed := 1, false
	var quantised []string
	switch n.Op {
	case "Gemm":
		rank, transposed = 2, n.IntAttr("transB", 0) != 0
		if n.IntAttr("transA", 0) != 0 {
			return Feature{}, false
		}
	case "MatMul":
	case "QLinearMatMul", "QGemm":
		weight = 3
		if len(n.Inputs) < 6 {
			return Feature{}, false
		}
		quantised = n.Inputs[1:3]
		if n.Op == "QGemm" {
			rank, transposed = 2, n.IntAttr("transB", 0) != 0
		}
	default:
		return Feature{}, false
	}
	if len(n.Inputs) <= weight {
		return Feature{}, false
	}
	dims, ok := x.Dims(n.Inputs[weight])
	if !ok || len(dims) != 2 || rank != 2 {
		return Feature{}, false
	}
	dim := dims[0]
	if transposed {
		dim = dims[1]
	}
	f := Feature{Value: n.Inputs[0], Rank: 2, quantised: quantised}
	if v := x.Declared(f.Value); v != nil {
		f.Elem = v.Elem
	}
	for _, out := range x.g.Outputs {
		f.Output = f.Output || out.Name == f.Value
	}
	f, err := f.withDim(Dim{Size: dim}, nil)
	return f, err == nil && x.Producer(f.Value) != nil
}
