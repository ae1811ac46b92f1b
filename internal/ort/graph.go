package ort

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
)

// Value is an input or output of a graph.
type Value struct {
	Name  string
	DType ElementType
	Shape []int64 // -1: any size; nil: not known
}

// ElementType is ONNX's TensorProto.DataType.
type ElementType int32

// The element types that this package makes tensors of.
const (
	Float32 = ElementType(onnx.Float)
	Uint8   = ElementType(onnx.Uint8)
	Float16 = ElementType(onnx.Float16)
)

// Size is the size of one element in bytes; 0 where this package makes no tensors of the type.
func (e ElementType) Size() int {
	switch e {
	case Float32:
		return 4
	case Float16:
		return 2
	case Uint8:
		return 1
	}
	return 0
}

func (e ElementType) String() string {
	switch e {
	case Float32:
		return "float32"
	case Uint8:
		return "uint8"
	case Float16:
		return "float16"
	}
	return fmt.Sprintf("ONNX type %d", int32(e))
}

// Graph is what a model file says of itself, without its weights.
type Graph struct {
	Inputs, Outputs []Value // as listed, without inputs that only declare a weight
	Quantised       bool    // computes in int8: has QLinear*, *Integer or QuantizeLinear nodes
	Dequantises     bool    // has DequantizeLinear nodes; alone they only keep weights small
}

// Input is the input of that name.
func (g *Graph) Input(name string) (Value, bool) { return find(g.Inputs, name) }

// Output is the output of that name.
func (g *Graph) Output(name string) (Value, bool) { return find(g.Outputs, name) }

func find(values []Value, name string) (Value, bool) {
	for _, v := range values {
		if v.Name == name {
			return v, true
		}
	}
	return Value{}, false
}

// ReadGraph reads a model file's inputs and outputs. It steps over the weights, so a large file costs no more than a
// small one, and needs no library. Errors wrap imgvec.ErrModel.
func ReadGraph(path string) (*Graph, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("imgvec: read model: %w: %w", imgvec.ErrModel, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("imgvec: read model: %w: %w", imgvec.ErrModel, err)
	}
	graph, err := readGraph(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("imgvec: read model %q: %w: %w", path, imgvec.ErrModel, err)
	}
	return graph, nil
}

func readGraph(file io.ReaderAt, size int64) (*Graph, error) {
	m, err := onnx.Parse(file, size)
	if err != nil {
		return nil, err
	}
	graph := Graph{Inputs: values(m.Graph.Inputs), Outputs: values(m.Graph.Outputs)}
	for _, node := range m.Graph.Nodes {
		graph.Quantised = graph.Quantised || quantised(node.Op)
		graph.Dequantises = graph.Dequantises || node.Op == "DequantizeLinear"
	}
	return &graph, nil
}

func quantised(op string) bool {
	return strings.HasPrefix(op, "QLinear") || strings.HasSuffix(op, "Integer") || op == "QuantizeLinear" || op == "DynamicQuantizeLinear"
}

func values(declared []onnx.Value) []Value {
	var list []Value
	for _, v := range declared {
		list = append(list, Value{Name: v.Name, DType: ElementType(v.Elem), Shape: sizes(v.Shape)})
	}
	return list
}

// sizes is a shape with -1 for what is named, or not said, or no size.
func sizes(shape []onnx.Dim) []int64 {
	if shape == nil {
		return nil
	}
	list := make([]int64, len(shape))
	for i, d := range shape {
		if list[i] = d.Size; d.Size <= 0 {
			list[i] = -1
		}
	}
	return list
}
