package tiny

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/imgvec/imgvec/csrc"
)

// TensorProto.DataType.
const (
	float32Type = 1
	uint8Type   = 2
	int8Type    = 3
	int64Type   = 7
	float16Type = 10
)

type attributes map[string]any // int64 or []int64

type value struct {
	name  string
	kind  int
	shape []int64 // 0: any; nil: not told
}

type node struct {
	op         string
	inputs     []string
	output     string
	attributes attributes
}

// graph collects nodes in order, and the weights.
type graph struct {
	nodes        []node
	initialisers [][]byte
}

// node adds a node and names its output.
func (g *graph) node(op string, attrs attributes, inputs ...string) string {
	output := fmt.Sprintf("%s_%d", op, len(g.nodes))
	g.nodes = append(g.nodes, node{op, inputs, output, attrs})
	return output
}

func (g *graph) rename(from, to string) {
	for i := range g.nodes {
		if g.nodes[i].output == from {
			g.nodes[i].output = to
		}
	}
}

// weights is a [Dim, 3, 3, 3] kernel whose channels differ from one another.
func (g *graph) weights(kind int, quantised bool) string {
	var data []byte
	for i := range Dim * 3 * 3 * 3 {
		f := float32(weight(i))
		switch {
		case quantised:
			data = append(data, byte(level(i)))
		case kind == float16Type:
			data = binary.LittleEndian.AppendUint16(data, csrc.Float16(f))
		default:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
		}
	}
	if !quantised {
		return g.tensor("kernel", kind, data, Dim, 3, 3, 3)
	}
	return g.node("DequantizeLinear", nil, g.tensor("kernel", int8Type, data, Dim, 3, 3, 3), g.float32("scale", 1.0/64), g.tensor("zero", int8Type, []byte{0}))
}

// rounded rounds a tensor to int8 steps of the given size and back, as tools for quantisation write it.
func (g *graph) rounded(at, name string, step float32) string {
	scale, zero := g.float32(name+" scale", step), g.tensor(name+" zero", int8Type, []byte{0})
	at = g.node("QuantizeLinear", nil, at, scale, zero)
	return g.node("DequantizeLinear", nil, at, scale, zero)
}

func (g *graph) float32(name string, f float32) string {
	return g.tensor(name, float32Type, binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)))
}

func (g *graph) int64s(name string, values ...int64) string {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	return g.tensor(name, int64Type, data, int64(len(values)))
}

// tensor adds a TensorProto.
func (g *graph) tensor(name string, kind int, data []byte, dims ...int64) string {
	var t []byte
	for _, d := range dims {
		t = number(t, 1, d)
	}
	t = number(t, 2, int64(kind))
	t = text(t, 8, name)
	g.initialisers = append(g.initialisers, message(t, 9, data))
	return name
}

// bytes is the ModelProto.
func (g *graph) bytes(input, output value) []byte {
	var b []byte
	for _, n := range g.nodes {
		b = message(b, 1, n.bytes())
	}
	b = text(b, 2, "tiny")
	for _, t := range g.initialisers {
		b = message(b, 5, t)
	}
	b = message(b, 11, input.bytes())
	b = message(b, 12, output.bytes())
	model := number(nil, 1, 8) // ir_version
	model = message(model, 7, b)
	return message(model, 8, number(nil, 2, 13)) // opset 13
}

func (n node) bytes() []byte {
	var b []byte
	for _, in := range n.inputs {
		b = text(b, 1, in)
	}
	b = text(b, 2, n.output)
	b = text(b, 4, n.op)
	for _, name := range slices.Sorted(maps.Keys(n.attributes)) {
		a := text(nil, 1, name)
		switch v := n.attributes[name].(type) {
		case int64:
			a = number(number(a, 3, v), 20, 2)
		case []int64:
			for _, i := range v {
				a = number(a, 8, i)
			}
			a = number(a, 20, 7)
		}
		b = message(b, 5, a)
	}
	return b
}

func (v value) bytes() []byte {
	tensor := number(nil, 1, int64(v.kind))
	if v.shape != nil {
		var shape []byte
		for i, d := range v.shape {
			dim := number(nil, 1, d)
			if d == 0 {
				dim = text(nil, 2, fmt.Sprintf("d%d", i))
			}
			shape = message(shape, 1, dim)
		}
		tensor = message(tensor, 2, shape)
	}
	return message(text(nil, 1, v.name), 2, message(nil, 1, tensor))
}

func number(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func message(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func text(b []byte, field protowire.Number, v string) []byte { return message(b, field, []byte(v)) }
