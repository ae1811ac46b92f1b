package onnx

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/float16"
)

// Emulate turns a converted model into one in float32 that rounds every float16 value as a device with float16
// arithmetic does: sums in float32, results rounded. ONNX Runtime's CPU provider computes float16 nodes in float32 and
// drops the casts in between, so it shows neither a result that overflows nor one that loses precision.
func Emulate(t testing.TB, file []byte) []byte {
	t.Helper()
	m := parse(t, file)
	w := &halfWriter{half: &half{m: m, nodeSuffix: "~cast"}}
	for _, v := range m.Graph.Inputs {
		if v.Elem == Float16 {
			v.Elem = Float
		}
		w.bytes(appendMessage(nil, graphInput, valueInfo(v.Name, v.Elem, v.Shape)))
	}
	w.emulationConstants()
	halves := map[string]bool{}
	for _, i := range m.Graph.Inits {
		if halves[i.Name] = i.Elem == Float16; halves[i.Name] {
			w.bytes(appendMessage(nil, graphInitializer, widened(t, m, i)))
		} else {
			w.field(i.at)
		}
	}
	for i := range m.Graph.Nodes {
		w.emulated(t, &m.Graph.Nodes[i], halves)
	}
	for _, f := range append(fieldsOf(m.Graph.Outputs), m.Graph.fields...) {
		w.field(f)
	}
	var out bytes.Buffer
	if err := m.writeGraph(&copier{w: &out, r: m.r}, w.size, w.list); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// widened is a float16 tensor as float32.
func widened(t testing.TB, m *Model, from Tensor) []byte {
	t.Helper()
	spans, _, err := m.cursorIn(from.at).spans()
	if err != nil || len(spans) != 1 {
		t.Fatal(spans, err)
	}
	raw := make([]byte, spans[0].end-spans[0].start)
	if err := readFull(m.r, raw, spans[0].start); err != nil {
		t.Fatal(err)
	}
	var wide []byte
	for ; len(raw) > 0; raw = raw[2:] {
		wide = binary.LittleEndian.AppendUint32(wide, math.Float32bits(float16.To(binary.LittleEndian.Uint16(raw))))
	}
	return rawTensor(from.Name, Float, wide, from.Dims...)
}

func (w *halfWriter) emulated(t testing.TB, n *Node, halves map[string]bool) {
	t.Helper()
	if n.Op == "Constant" {
		c, err := w.m.constant(*n)
		if err != nil {
			t.Fatal(err)
		}
		if halves[n.Outputs[0]] = c.tensor.Elem == Float16; !halves[n.Outputs[0]] {
			w.field(n.at)
			return
		}
		w.bytes(appendMessage(nil, graphInitializer, widened(t, w.m, c.tensor)))
		return
	}
	outputs := make([]string, len(n.Outputs))
	for i, name := range n.Outputs {
		outputs[i] = name
		if isHalfName(name) {
			outputs[i] = name + "~raw"
		}
	}
	if to := n.IntAttr("to", 0); n.Op == "Cast" && (to == int64(Float) || to == int64(Float16)) {
		w.cast(n.Inputs[0], outputs[0], Float)
	} else {
		w.rename(n, n.Inputs, outputs)
	}
	for i, name := range n.Outputs {
		if outputs[i] != name {
			w.rounded(outputs[i], name)
		}
	}
}

// isHalfName tells a value that a conversion made from one that was called so before.
func isHalfName(name string) bool {
	return strings.HasSuffix(name, "_f16") || strings.HasSuffix(name, "_f16_2")
}

// rounded rounds to 11 bits (what 8193 times a number adds to it has the other bits), makes 65536 infinite, and what is
// below 2^-14 a multiple of 2^-24. The last step keeps ONNX Runtime from taking the factors into a product of matrices.
func (w *halfWriter) rounded(from, to string) {
	step := func(op, out, a, b string) {
		w.bytes(appendMessage(nil, graphNode, nodeProto(op, out, []string{a, b}, nil)))
	}
	step("Mul", to+"~1", from, "~8193")
	step("Sub", to+"~2", to+"~1", from)
	step("Sub", to+"~3", to+"~1", to+"~2")
	step("Mul", to+"~4", to+"~3", "~over")
	step("Mul", to+"~5", to+"~4", "~back")
	step("Mul", to+"~6", to+"~5", "~under")
	step("Mul", to+"~7", to+"~6", "~up")
	w.bytes(appendMessage(nil, graphNode, nodeProto("Neg", to, []string{to + "~7"}, nil)))
}

// RoundingFile rounds an image times a factor as Emulate does.
func RoundingFile(factor float32) []byte {
	s := newSketch(13).floats("factor", scalar(), factor).node("Mul", "x", "image factor")
	w := &halfWriter{half: &half{}}
	w.emulationConstants()
	w.rounded("x", "r")
	var out bytes.Buffer
	c := &copier{w: &out}
	for _, part := range w.list {
		part(c)
	}
	s.graph = append(s.graph, out.Bytes()...)
	s.at = "r"
	return s.flat(192)
}

func (w *halfWriter) emulationConstants() {
	for name, v := range map[string]float32{"~8193": 8193, "~over": 0x1p112, "~back": 0x1p-112, "~under": 0x1p-125, "~up": -0x1p125} {
		w.bytes(appendMessage(nil, graphInitializer, rawTensor(name, Float, floatBytes(v))))
	}
}
