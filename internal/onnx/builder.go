package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Versions that the builder writes. Opset 13 is read by every ONNX Runtime since 1.6; a graph that needs a newer
// operation asks for its opset.
const (
	irVersion    = 7
	opsetWritten = 13

	newerIRVersion = 8 // from opset 15 on
	newerOpset     = 15

	maxWritten = 1<<31 - 1<<20 // protobuf's limit, less what is around the graph
)

// Builder puts a graph together and writes it. The same calls give the same bytes.
type Builder struct {
	name    string
	doc     string
	opset   uint64
	nodes   []byte
	inits   []initializer
	inputs  []byte
	outputs []byte
	dims    map[string][]Dim // of declared inputs and outputs
}

type initializer struct {
	name string
	dims []int64
	data []float32
	ints []int64 // instead of data
}

// NewBuilder starts a graph with a name and a text that says what it is.
func NewBuilder(name, doc string) *Builder {
	return &Builder{name: name, doc: doc, opset: opsetWritten, dims: map[string][]Dim{}}
}

// UseOpset sets the operator set that the nodes are of; without, it is 13. LayerNormalization is in 17, Gelu in 20.
func (b *Builder) UseOpset(version int) { b.opset = uint64(version) }

// Dim is one axis of a declared shape: a size, or a name for one that is free.
type Dim struct {
	Size int64
	Name string
}

// Fixed makes dims of sizes.
func Fixed(sizes ...int64) []Dim {
	dims := make([]Dim, len(sizes))
	for i, size := range sizes {
		dims[i].Size = size
	}
	return dims
}

// Batched is a free first axis N, then sizes.
func Batched(sizes ...int64) []Dim { return append([]Dim{{Name: "N"}}, Fixed(sizes...)...) }

// Input declares a float32 input.
func (b *Builder) Input(name string, dims []Dim) {
	b.dims[name] = dims
	b.inputs = appendMessage(b.inputs, graphInput, valueInfo(name, Float, dims))
}

// Output declares a float32 output.
func (b *Builder) Output(name string, dims []Dim) {
	b.dims[name] = dims
	b.outputs = appendMessage(b.outputs, graphOutput, valueInfo(name, Float, dims))
}

// Declared gives the shape that an input or output was declared with; nil where there is none of that name.
func (b *Builder) Declared(name string) []Dim { return b.dims[name] }

// Weights adds a float32 constant. The builder keeps data until Write.
func (b *Builder) Weights(name string, data []float32, dims ...int64) string {
	b.inits = append(b.inits, initializer{name: name, dims: dims, data: data})
	return name
}

// Int64s adds a constant of int64, such as the shape of a Reshape.
func (b *Builder) Int64s(name string, values []int64, dims ...int64) string {
	b.inits = append(b.inits, initializer{name: name, dims: dims, ints: values})
	return name
}

// Attr is one attribute of a node.
type Attr struct {
	name string
	ints []int64
	i    int64
	f    float32
	kind uint64
}

// Ints is an attribute of several integers.
func Ints(name string, values ...int64) Attr {
	return Attr{name: name, ints: values, kind: attrTypeInts}
}

// Int is an attribute of one integer.
func Int(name string, value int64) Attr { return Attr{name: name, i: value, kind: attrTypeInt} }

// Float32 is an attribute of one float.
func Float32(name string, value float32) Attr { return Attr{name: name, f: value, kind: attrTypeFloat} }

// Node adds an operation of one output, which also names the node, and returns that output.
func (b *Builder) Node(op, output string, inputs []string, attrs ...Attr) string {
	b.nodes = appendMessage(b.nodes, graphNode, nodeProto(op, output, inputs, attrs))
	return output
}

func nodeProto(op, output string, inputs []string, attrs []Attr) []byte {
	var n []byte
	for _, input := range inputs {
		n = appendString(n, nodeInput, input)
	}
	n = appendString(n, nodeOutput, output)
	n = appendString(n, nodeName, output)
	n = appendString(n, nodeOp, op)
	for _, a := range attrs {
		n = appendMessage(n, nodeAttribute, a.proto())
	}
	return n
}

func (a Attr) proto() []byte {
	m := appendString(nil, attrName, a.name)
	switch a.kind {
	case attrTypeFloat:
		m = protowire.AppendTag(m, attrF, protowire.Fixed32Type)
		m = protowire.AppendFixed32(m, math.Float32bits(a.f))
	case attrTypeInt:
		m = appendVarint(m, attrI, uint64(a.i))
	case attrTypeInts:
		for _, v := range a.ints {
			m = appendVarint(m, attrInts, uint64(v))
		}
	}
	return appendVarint(m, attrType, a.kind)
}

// Write writes the model file.
func (b *Builder) Write(w io.Writer) error {
	heads := make([][]byte, len(b.inits))
	size := len(b.nodes) + len(appendString(nil, graphName, b.name)) + len(b.inputs) + len(b.outputs)
	for i, init := range b.inits {
		heads[i] = init.head()
		size += len(heads[i]) + init.bytes()
	}
	if size > maxWritten {
		return fmt.Errorf("the model has %.1f GiB, and a file of ONNX holds 2 GiB at most", float64(size)/(1<<30))
	}
	out := &stickyWriter{w: w}
	version := uint64(irVersion)
	if b.opset >= newerOpset {
		version = newerIRVersion
	}
	head := appendVarint(nil, modelIRVersion, version)
	head = appendString(head, modelProducer, "imgvec")
	head = appendString(head, modelDocString, b.doc)
	head = protowire.AppendTag(head, modelGraph, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(size))
	out.write(head)
	out.write(b.nodes)
	out.write(appendString(nil, graphName, b.name))
	for i, init := range b.inits {
		out.write(heads[i])
		out.floats(init.data)
		out.int64s(init.ints)
	}
	out.write(b.inputs)
	out.write(b.outputs)
	opset := appendString(nil, opsetDomain, "")
	out.write(appendMessage(nil, modelOpset, appendVarint(opset, opsetVersion, b.opset)))
	return out.err
}

// head is the initializer's tag, length and fields up to its data, which follows as raw little-endian bytes.
func (i initializer) head() []byte {
	var t []byte
	for _, d := range i.dims {
		t = appendVarint(t, tensorDims, uint64(d))
	}
	elem := Float
	if i.ints != nil {
		elem = Int64
	}
	t = appendVarint(t, tensorType, uint64(elem))
	t = appendString(t, tensorName, i.name)
	t = protowire.AppendTag(t, tensorRaw, protowire.BytesType)
	t = protowire.AppendVarint(t, uint64(i.bytes()))
	head := protowire.AppendTag(nil, graphInitializer, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(t)+i.bytes()))
	return append(head, t...)
}

func (i initializer) bytes() int { return 4*len(i.data) + 8*len(i.ints) }

type stickyWriter struct {
	w   io.Writer
	buf []byte
	err error
}

func (s *stickyWriter) write(b []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
}

func (s *stickyWriter) floats(values []float32) {
	const chunk = 16 << 10
	for len(values) > 0 {
		part := values[:min(len(values), chunk)]
		values = values[len(part):]
		s.buf = s.buf[:0]
		for _, v := range part {
			s.buf = binary.LittleEndian.AppendUint32(s.buf, math.Float32bits(v))
		}
		s.write(s.buf)
	}
}

func (s *stickyWriter) int64s(values []int64) {
	s.buf = s.buf[:0]
	for _, v := range values {
		s.buf = binary.LittleEndian.AppendUint64(s.buf, uint64(v))
	}
	s.write(s.buf)
}

// valueInfo describes a tensor value.
func valueInfo(name string, elem Elem, dims []Dim) []byte {
	var shape []byte
	for _, d := range dims {
		if d.Name != "" {
			shape = appendMessage(shape, shapeDim, appendString(nil, dimParam, d.Name))
		} else {
			shape = appendMessage(shape, shapeDim, appendVarint(nil, dimValue, uint64(d.Size)))
		}
	}
	tensor := appendVarint(nil, tensorElem, uint64(elem))
	if dims != nil {
		tensor = appendMessage(tensor, tensorShape, shape)
	}
	v := appendString(nil, valueName, name)
	return appendMessage(v, valueType, appendMessage(nil, typeTensor, tensor))
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendMessage(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}
