package ort

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/imgvec/imgvec"
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
	Float32 ElementType = 1
	Uint8   ElementType = 2
	Float16 ElementType = 10
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
	Inputs, Outputs []Value // as listed; an old file lists its weights among the inputs
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

// ReadGraph reads a model file's inputs and outputs. It seeks over the weights, so a large file costs no more than a
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
		return nil, fmt.Errorf("imgvec: read model %q: %w: no ONNX file: %w", path, imgvec.ErrModel, err)
	}
	return graph, nil
}

func readGraph(file io.ReadSeeker, size int64) (*Graph, error) {
	var graph Graph
	seen := false
	r := &wireReader{file: file, buf: bufio.NewReader(file)}
	err := r.fields(size, func(num protowire.Number, size int64) error {
		if num != modelGraph {
			return r.skip(size)
		}
		seen = true
		return r.fields(size, graph.field(r))
	})
	if err == nil && !seen {
		err = errors.New("no graph in it")
	}
	return &graph, err
}

// Field numbers of onnx.proto.
const (
	modelGraph  = 7
	graphNode   = 1
	graphInput  = 11
	graphOutput = 12
	nodeOpType  = 4
)

// small is the most that a node, input or output is read into memory for; a Constant node may hold a large tensor.
const small = 1 << 20

func (g *Graph) field(r *wireReader) func(protowire.Number, int64) error {
	return func(num protowire.Number, size int64) error {
		if num != graphNode && num != graphInput && num != graphOutput || size > small {
			return r.skip(size)
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(r.buf, data); err != nil {
			return err
		}
		r.at += size
		switch num {
		case graphNode:
			op := string(field(data, nodeOpType))
			g.Quantised = g.Quantised || quantised(op)
			g.Dequantises = g.Dequantises || op == "DequantizeLinear"
		case graphInput:
			g.Inputs = append(g.Inputs, parseValue(data))
		case graphOutput:
			g.Outputs = append(g.Outputs, parseValue(data))
		}
		return nil
	}
}

func quantised(op string) bool {
	return strings.HasPrefix(op, "QLinear") || strings.HasSuffix(op, "Integer") || op == "QuantizeLinear" || op == "DynamicQuantizeLinear"
}

// parseValue reads a ValueInfoProto.
func parseValue(data []byte) Value {
	value := Value{Name: string(field(data, 1))}
	tensor := field(field(data, 2), 1) // TypeProto.tensor_type
	eachField(tensor, func(num protowire.Number, bytes []byte, varint uint64) {
		switch {
		case num == 1 && bytes == nil:
			value.DType = ElementType(varint)
		case num == 2 && bytes != nil:
			value.Shape = parseShape(bytes)
		}
	})
	return value
}

func parseShape(data []byte) []int64 {
	shape := []int64{}
	eachField(data, func(num protowire.Number, dim []byte, _ uint64) {
		if num != 1 || dim == nil {
			return
		}
		size := int64(-1)
		eachField(dim, func(num protowire.Number, bytes []byte, varint uint64) {
			if num == 1 && bytes == nil && int64(varint) > 0 {
				size = int64(varint)
			}
		})
		shape = append(shape, size)
	})
	return shape
}
