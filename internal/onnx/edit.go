package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/imgvec/imgvec/internal/float16"
)

// Edit is a model's graph in memory, to be changed and written anew: nodes in their order, weights by name. Its inputs and
// outputs stay as they are. It holds all weights, so it takes as much memory as the model's files.
type Edit struct {
	Nodes   []*EditNode
	Weights map[string]*EditWeight
	Inputs  []Value
	Outputs []Value

	opset   int64             // of ONNX's own operators
	domains map[string]int64  // of others
	name    string            // of the graph
	ports   map[string][]byte // declarations of inputs and outputs, as in the file
}

// EditNode is one operation.
type EditNode struct {
	Name, Op, Domain string
	Inputs, Outputs  []string

	attrs []editAttr
}

type editAttr struct {
	Attribute
	float float32
	raw   []byte // the AttributeProto
}

// EditWeight is a constant.
type EditWeight struct {
	Elem Elem
	Dims []int64
	raw  []byte // its elements, little-endian
}

// Edit reads the whole model. open opens the files that hold weights outside of the model; it may be nil where there are
// none. A model with functions of its own, sparse weights or control flow is refused: a change could not see all of it.
func (m *Model) Edit(open Opener) (*Edit, error) {
	e := &Edit{Weights: map[string]*EditWeight{}, domains: map[string]int64{}, ports: map[string][]byte{},
		Inputs: m.Graph.Inputs, Outputs: m.Graph.Outputs, name: "main"}
	if m.functions > 0 {
		return nil, errors.New("the model defines functions of its own; export it without them")
	}
	var known bool
	if e.opset, known = m.opsetOf(""); !known {
		return nil, errors.New("the model names no version of ONNX's own operators")
	}
	for domain, version := range m.Opset {
		if domain != "" && domain != ownDomain {
			e.domains[domain] = version
		}
	}
	for _, f := range m.Graph.fields {
		if f.num == graphSparse {
			return nil, errors.New("the model has sparse weights, which are not read")
		}
	}
	for i := range m.Graph.Nodes {
		if err := e.addNode(m, &m.Graph.Nodes[i]); err != nil {
			return nil, err
		}
	}
	for _, t := range m.Graph.Inits {
		raw, err := m.tensorBytes(t, open)
		if err != nil {
			return nil, err
		}
		e.Weights[t.Name] = &EditWeight{t.Elem, t.Dims, raw}
	}
	return e, e.readPorts(m)
}

func (e *Edit) addNode(m *Model, n *Node) error {
	node := &EditNode{Name: n.Name, Op: n.Op, Domain: n.Domain, Inputs: slices.Clone(n.Inputs), Outputs: slices.Clone(n.Outputs)}
	if node.Domain == ownDomain {
		node.Domain = ""
	}
	if controlFlow[n.Op] {
		return fmt.Errorf("node %q is control flow (%s), which can't be changed; export the model without it", n.Name, n.Op)
	}
	c := m.cursorIn(n.at)
	at := 0
	err := c.each(func(f field) error {
		if !f.message(nodeAttribute) {
			return nil
		}
		a := editAttr{Attribute: n.Attrs[at], raw: make([]byte, f.end-f.start)}
		at++
		if err := readFull(m.r, a.raw, f.start); err != nil {
			return err
		}
		a.float = attrFloat(a.raw)
		node.attrs = append(node.attrs, a)
		return nil
	})
	if err == nil && n.Op == "Constant" && node.Domain == "" && len(n.Outputs) == 1 {
		weight, constant, err := m.constantWeight(*n)
		if err != nil || constant {
			e.Weights[n.Outputs[0]] = weight
			return err
		}
	}
	e.Nodes = append(e.Nodes, node)
	return err
}

// attrFloat is the number that an attribute of kind FLOAT has.
func attrFloat(raw []byte) float32 {
	for len(raw) > 0 {
		num, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return 0
		}
		raw = raw[n:]
		if num == attrF && kind == protowire.Fixed32Type {
			bits, _ := protowire.ConsumeFixed32(raw)
			return math.Float32frombits(bits)
		}
		if n = protowire.ConsumeFieldValue(num, kind, raw); n < 0 {
			return 0
		}
		raw = raw[n:]
	}
	return 0
}

// constantWeight is what a Constant node makes, as a weight; ok is false for kinds that stay a node.
func (m *Model) constantWeight(n Node) (w *EditWeight, ok bool, err error) {
	c, err := m.constant(n)
	if err != nil {
		return nil, false, err
	}
	if c.floats != nil {
		raw := make([]byte, 0, 4*len(c.floats))
		for _, v := range c.floats {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		return &EditWeight{Float, c.tensor.Dims, raw}, true, nil
	}
	if c.tensor.at.end == 0 || c.tensor.bytes() < 0 {
		return nil, false, nil
	}
	raw, err := m.tensorBytes(c.tensor, nil)
	return &EditWeight{c.tensor.Elem, c.tensor.Dims, raw}, err == nil, err
}

// readPorts keeps the declarations of inputs and outputs.
func (e *Edit) readPorts(m *Model) error {
	for _, list := range [][]Value{m.Graph.Inputs, m.Graph.Outputs} {
		for _, v := range list {
			raw := make([]byte, v.at.end-v.at.start)
			if err := readFull(m.r, raw, v.at.start); err != nil {
				return err
			}
			e.ports[v.Name] = raw
		}
	}
	return nil
}

// tensorBytes reads a tensor's elements, little-endian, wherever the file keeps them.
func (m *Model) tensorBytes(t Tensor, open Opener) ([]byte, error) {
	size := t.bytes()
	if size < 0 {
		return nil, fmt.Errorf("weights %q are of %s and shape %v, which is not read", t.Name, t.Elem, t.Dims)
	}
	in := &cursor{r: m.r, pos: t.at.start, end: t.at.end, w: &window{}}
	if t.External {
		return outsideBytes(in, t, open)
	}
	var raw []byte
	err := in.each(func(f field) (err error) {
		switch {
		case f.message(tensorRaw), f.message(tensorFloatData):
			part := make([]byte, f.end-f.start)
			err = readFull(m.r, part, f.start)
			raw = append(raw, part...)
		case f.num == tensorFloatData:
			part := make([]byte, 4)
			err = readFull(m.r, part, f.start)
			raw = append(raw, part...)
		case f.num == tensorInt32Data || f.num == tensorInt64Data:
			raw, err = appendNumbers(raw, in, f, size, t.Elem)
		case f.num == tensorSegment:
			err = errors.New("a tensor in segments is not read")
		}
		return err
	})
	if err == nil && int64(len(raw)) != size {
		err = fmt.Errorf("%w: weights %q are %d bytes of %s for shape %v", errFormat, t.Name, len(raw), t.Elem, t.Dims)
	}
	return raw, err
}

// appendNumbers reads elements that are kept as varints.
func appendNumbers(raw []byte, in *cursor, f field, size int64, elem Elem) ([]byte, error) {
	values, err := in.ints(f, nil, int(size))
	for _, v := range values {
		switch elem.size() {
		case 1:
			raw = append(raw, byte(v))
		case 2:
			raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
		case 4:
			raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
		case 8:
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
	}
	return raw, err
}

// outsideBytes reads elements that lie in another file.
func outsideBytes(in *cursor, t Tensor, open Opener) ([]byte, error) {
	c := &constant{tensor: t, where: fmt.Sprintf("weights %q", t.Name)}
	r, done, err := c.outside(in, open)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, t.bytes())
	_, err = io.ReadFull(r, raw)
	return raw, errors.Join(err, done())
}

// size is that of one element in bytes, 0 where it is not known.
func (e Elem) size() int64 { return max(0, Tensor{Elem: e}.bytes()) }

// Floats are a weight's elements, of float32, float16, int8, uint8, int32 or int64, as float32. The slice is the caller's.
func (w *EditWeight) Floats() ([]float32, error) {
	size := w.Elem.size()
	if size == 0 {
		return nil, fmt.Errorf("weights of %s are not read as numbers", w.Elem)
	}
	out := make([]float32, int64(len(w.raw))/size)
	for i := range out {
		b := w.raw[int64(i)*size:]
		switch w.Elem {
		case Float:
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
		case Float16:
			out[i] = float16.To(binary.LittleEndian.Uint16(b))
		case Int8:
			out[i] = float32(int8(b[0]))
		case Uint8:
			out[i] = float32(b[0])
		case int32Elem:
			out[i] = float32(int32(binary.LittleEndian.Uint32(b)))
		case Int64:
			out[i] = float32(int64(binary.LittleEndian.Uint64(b)))
		default:
			return nil, fmt.Errorf("weights of %s are not read as numbers", w.Elem)
		}
	}
	return out, nil
}

// SetFloats makes a float32 constant, in place of one of that name.
func (e *Edit) SetFloats(name string, values []float32, dims ...int64) string {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	e.Weights[name] = &EditWeight{Float, dims, raw}
	return name
}
