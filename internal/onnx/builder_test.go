package onnx

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBuiltModelOfANewerOpset reads back what graphs of transformers need: a newer operator set, a float attribute and
// whole numbers.
func TestBuiltModelOfANewerOpset(t *testing.T) {
	b := NewBuilder("newer", "")
	b.UseOpset(17)
	b.Input("input", Batched(6))
	b.Node("LayerNormalization", "norm", []string{"input", b.Weights("scale", []float32{1, 2, 3, 4, 5, 6}, 6)}, Float32("epsilon", 1e-6))
	b.Node("Reshape", "features", []string{"norm", b.Int64s("shape", []int64{-1, 6}, 2)})
	b.Output("features", Batched(6))
	if diff := cmp.Diff(Batched(6), b.Declared("features")); diff != "" || b.Declared("norm") != nil {
		t.Errorf("declared: %s, %v", diff, b.Declared("norm"))
	}
	data := build(t, b)
	m := parse(t, data)
	if m.IR != newerIRVersion || m.Opset[""] != 17 {
		t.Errorf("IR %d, opset %v", m.IR, m.Opset)
	}
	shape := m.Graph.Inits[1]
	if shape.Elem != Int64 || !cmp.Equal(shape.Dims, []int64{2}) {
		t.Errorf("shape: %+v", shape)
	}
	raw := binary.LittleEndian.AppendUint64(nil, math.MaxUint64) // -1
	if !bytes.Contains(data, binary.LittleEndian.AppendUint64(raw, 6)) {
		t.Error("the whole numbers are not in the file")
	}
	epsilon := binary.LittleEndian.AppendUint32([]byte("\x0a\x07epsilon\x15"), math.Float32bits(1e-6))
	if !bytes.Contains(data, epsilon) {
		t.Error("the float attribute is not in the file")
	}
}
