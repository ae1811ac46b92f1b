package onnx

import (
	"slices"
	"testing"
)

// Stored weights with a scale and a zero point for each channel, along either axis.
func TestDequantisedByChannel(t *testing.T) {
	stored := []int8{1, 2, 3, 4, 5, -6}
	raw := make([]byte, len(stored))
	for i, v := range stored {
		raw[i] = byte(v)
	}
	for axis, c := range map[int64]struct {
		scale []float32
		zero  []byte
		want  []float32
	}{
		0:  {[]float32{2, 10}, []byte{0, 1}, []float32{2, 4, 6, 30, 40, -70}},
		1:  {[]float32{1, 2, 3}, []byte{0, 0, 1}, []float32{1, 4, 6, 4, 10, -21}},
		-1: {[]float32{1, 2, 3}, []byte{0, 0, 1}, []float32{1, 4, 6, 4, 10, -21}},
	} {
		n := int64(len(c.scale))
		e := &Edit{Weights: map[string]*EditWeight{"w": {Int8, []int64{2, 3}, raw}, "z": {Int8, []int64{n}, c.zero}}}
		e.SetFloats("s", c.scale, n)
		node := newNode("DequantizeLinear", "y", []string{"w", "s", "z"}, Int("axis", axis))
		if got, err := e.dequantised(node); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("axis %d: %v, %v, want %v", axis, got, err, c.want)
		}
	}
	e := &Edit{Weights: map[string]*EditWeight{"w": {Int8, []int64{2, 3}, raw}}}
	e.SetFloats("s", []float32{1, 2}, 2)
	if _, err := e.dequantised(newNode("DequantizeLinear", "y", []string{"w", "s"}, Int("axis", 1))); err == nil {
		t.Error("two scales for three channels are taken")
	}
}

// A graph that takes what it makes is an error, not an endless walk.
func TestCycle(t *testing.T) {
	e := &Edit{Weights: map[string]*EditWeight{}, Nodes: []*EditNode{newNode("Relu", "a", []string{"b"}), newNode("Relu", "b", []string{"a"})}}
	if err := e.sort(); err == nil {
		t.Error("a cycle was put in order")
	}
}
