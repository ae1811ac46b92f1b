package onnx

import (
	"encoding/binary"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// HalfCase is a graph made by hand: image [N,3,8,8] -> features [N, Dim].
type HalfCase struct {
	Name  string
	File  []byte
	Dim   int
	Kept  string // HalfCheck's Kept: "1 Pow, 2 Add"
	Casts int    // in the result whose image is float16
	Elem  Elem   // of the image
	NHWC  bool
	Near  float64 // largest difference of a feature, of the largest feature's size; 0: 0.004
}

type proto []byte

func (p *proto) add(num protowire.Number, m []byte) { *p = appendMessage(*p, num, m) }

func floatBytes(values ...float32) (b []byte) {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func rawTensor(name string, elem Elem, raw []byte, dims ...int64) (t []byte) {
	for _, d := range dims {
		t = appendVarint(t, tensorDims, uint64(d))
	}
	t = appendString(appendVarint(t, tensorType, uint64(elem)), tensorName, name)
	return appendMessage(t, tensorRaw, raw)
}

func attribute(name string, kind uint64, value []byte) []byte {
	return append(appendVarint(appendString(nil, attrName, name), attrType, kind), value...)
}

func floatAttr(name string, v float32) []byte {
	return attribute(name, attrTypeFloat, protowire.AppendFixed32(protowire.AppendTag(nil, attrF, protowire.Fixed32Type), math.Float32bits(v)))
}

func stringAttr(name, v string) []byte { return attribute(name, 3, appendString(nil, 4, v)) }

func tensorAttr(name string, t []byte) []byte {
	return attribute(name, attrTypeTensor, appendMessage(nil, attrTensor, t))
}

func graphAttr(name string, g []byte) []byte {
	return attribute(name, 5, appendMessage(nil, attrGraph, g))
}

// sketch is a graph in the making; at is the value made last.
type sketch struct {
	graph  proto
	at     string
	opsets []byte
	ir     uint64
}

func newSketch(opset uint64, others ...string) *sketch {
	s := &sketch{at: "image", ir: 8}
	s.opsets = appendMessage(nil, modelOpset, appendVarint(appendString(nil, opsetDomain, ""), opsetVersion, opset))
	for _, domain := range others {
		s.opsets = appendMessage(s.opsets, modelOpset, appendVarint(appendString(nil, opsetDomain, domain), opsetVersion, 1))
	}
	return s
}

// node adds a node; "" among the inputs is the value made last, "-" an input left out. op may be DOMAIN:OP.
func (s *sketch) node(op, out string, inputs string, attrs ...[]byte) *sketch {
	var n []byte
	for in := range strings.SplitSeq(inputs, " ") {
		switch in {
		case "":
			in = s.at
		case "-":
			in = ""
		}
		n = appendString(n, nodeInput, in)
	}
	return s.finish(n, op, out, attrs...)
}

func (s *sketch) finish(n []byte, op, out string, attrs ...[]byte) *sketch {
	names := strings.Fields(out)
	for _, name := range names {
		n = appendString(n, nodeOutput, name)
	}
	if domain, bare, ok := strings.Cut(op, ":"); ok {
		n = appendString(n, nodeDomain, domain)
		op = bare
	}
	n = appendString(appendString(n, nodeOp, op), nodeName, names[0])
	for _, a := range attrs {
		n = appendMessage(n, nodeAttribute, a)
	}
	s.graph.add(graphNode, n)
	s.at = names[0]
	return s
}

// source adds a node without inputs, and keeps the value made last.
func (s *sketch) source(op, out string, attrs ...[]byte) *sketch {
	at := s.at
	s.finish(nil, op, out, attrs...)
	s.at = at
	return s
}

func (s *sketch) floats(name string, dims []int64, values ...float32) *sketch {
	count := int64(1)
	for _, d := range dims {
		count *= d
	}
	for i := int64(len(values)); i < count; i++ { // a pattern of values that are no halves
		values = append(values, float32(math.Sin(float64(i)*1.7+float64(len(name))))*0.3)
	}
	s.graph.add(graphInitializer, rawTensor(name, Float, floatBytes(values...), dims...))
	return s
}

func (s *sketch) int64s(name string, values ...int64) *sketch {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	s.graph.add(graphInitializer, rawTensor(name, Int64, raw, int64(len(values))))
	return s
}

func (s *sketch) info(name string, elem Elem, dims []Dim) *sketch {
	s.graph.add(graphValueInfo, valueInfo(name, elem, dims))
	return s
}

// pooled ends the graph with the average over the picture.
func (s *sketch) pooled(dim int64) []byte {
	s.node("GlobalAveragePool", "pool.end", "").node("Flatten", "features", "", Int("axis", 1).proto())
	return s.file(Float, Batched(3, 8, 8), dim)
}

// flat ends the graph with all values.
func (s *sketch) flat(dim int64) []byte {
	s.node("Flatten", "features", "", Int("axis", 1).proto())
	return s.file(Float, Batched(3, 8, 8), dim)
}

func (s *sketch) file(image Elem, shape []Dim, dim int64) []byte {
	s.graph.add(graphInput, valueInfo("image", image, shape))
	s.graph.add(graphOutput, valueInfo("features", Float, Batched(dim)))
	s.graph = appendString(s.graph, graphName, "by hand")
	m := appendVarint(nil, modelIRVersion, s.ir)
	m = append(m, s.opsets...)
	return appendMessage(m, modelGraph, s.graph)
}

// conv adds a convolution of 1x1 to 4 channels.
func (s *sketch) conv(out string) *sketch {
	return s.floats(out+".w", []int64{4, s.channels(), 1, 1}).node("Conv", out, " "+out+".w")
}

func (s *sketch) channels() int64 {
	if s.at == "image" {
		return 3
	}
	return 4
}

func scalar() []int64 { return nil }

// variance adds a layer normalisation over the picture in operations of their own, of values up to some 600.
func variance(form string) []byte {
	s := newSketch(13).floats("big", scalar(), 300).floats("eps", scalar(), 1e-5).floats("two", scalar(), 2).floats("gamma", []int64{1}, 1.1)
	s.floats("half", scalar(), 0.5).node("Mul", "x", "image big")
	axes := Ints("axes", 1, 2, 3).proto()
	s.node("ReduceMean", "mean", "x", axes).node("Sub", "d", "x mean")
	deviation := "d"
	switch form {
	case "Mul":
		s.node("Mul", "sq", "d d")
	case "two Subs":
		s.node("Sub", "d2", "x mean").node("Pow", "sq", "d two")
		deviation = "d2"
	default:
		s.node("Pow", "sq", "d two")
	}
	s.node("ReduceMean", "var", "sq", axes).node("Add", "var.eps", "var eps")
	switch form {
	case "Reciprocal":
		s.node("Sqrt", "std", "").node("Reciprocal", "inv", "").node("Mul", "norm", deviation+" inv")
	case "Pow":
		s.node("Pow", "std", " half").node("Div", "norm", deviation+" std")
	default:
		s.node("Sqrt", "std", "").node("Div", "norm", deviation+" std")
	}
	return s.node("Mul", "scaled", "norm gamma").flat(192)
}

// branches is an If whose bodies use values from outside.
func branches(capture string) []byte {
	body := func(op, out string) []byte {
		s := &sketch{at: capture, ir: 8}
		s.node(op, out, "")
		s.graph.add(graphOutput, valueInfo(out, Float, nil))
		return appendString(s.graph, graphName, out)
	}
	s := newSketch(13).conv("c")
	s.graph.add(graphInitializer, rawTensor("yes", boolean, []byte{1}))
	s.node("If", "branch", "yes", graphAttr("then_branch", body("Neg", "then.out")), graphAttr("else_branch", body("Abs", "else.out")))
	return s.node("Relu", "after", "").pooled(map[string]int64{"c": 4, "image": 3}[capture])
}

// oldFile declares its weights as inputs and keeps them as numbers of their own, as files before IR 4 may.
func oldFile() []byte {
	s := newSketch(7)
	s.ir = 3
	var w []byte
	for _, d := range []uint64{4, 3, 1, 1} {
		w = appendVarint(w, tensorDims, d)
	}
	w = appendString(appendVarint(w, tensorType, uint64(Float)), tensorName, "w")
	var packed []byte
	for i := range 12 {
		packed = append(packed, floatBytes(float32(i)*0.123-0.5)...)
	}
	s.graph.add(graphInitializer, appendMessage(w, tensorFloatData, packed))
	s.graph.add(graphInput, valueInfo("w", Float, Fixed(4, 3, 1, 1)))
	return s.node("Conv", "c", " w").node("Dropout", "d", "").pooled(4)
}

// counting makes the size for a Resize out of the picture's, in floats.
func counting() []byte {
	s := newSketch(13).conv("c").floats("two", scalar(), 2).int64s("from", 0).int64s("mid", 2).int64s("to", 4)
	s.node("Shape", "shape", "").node("Slice", "nc", "shape from mid").node("Slice", "hw", "shape mid to")
	s.node("Cast", "hw.f", "hw", Int("to", int64(Float)).proto()).node("Mul", "hw.2", "hw.f two").node("Floor", "hw.floor", "")
	s.node("Cast", "hw.i", "", Int("to", int64(Int64)).proto()).node("Concat", "size", "nc hw.i", Int("axis", 0).proto())
	return s.node("Resize", "r", "c - - size", stringAttr("mode", "linear")).pooled(4)
}
