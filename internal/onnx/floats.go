package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Floats reads the elements of a float32 initializer that keeps them as raw bytes, as [Builder] writes them.
func (m *Model) Floats(name string) ([]float32, error) {
	for _, t := range m.Graph.Inits {
		if t.Name == name {
			return m.floats(t)
		}
	}
	return nil, fmt.Errorf("the model has no weights %q", name)
}

func (m *Model) floats(t Tensor) ([]float32, error) {
	var raw []byte
	c := &cursor{r: m.r, pos: t.at.start, end: t.at.end, w: &window{}}
	err := c.each(func(f field) error {
		if !f.message(tensorRaw) {
			return nil
		}
		raw = make([]byte, f.end-f.start)
		return readFull(m.r, raw, f.start)
	})
	if err != nil {
		return nil, err
	}
	if t.Elem != Float || int64(len(raw)) != t.bytes() {
		return nil, fmt.Errorf("weights %q are %d bytes of %s for shape %v", t.Name, len(raw), t.Elem, t.Dims)
	}
	values := make([]float32, len(raw)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return values, nil
}
