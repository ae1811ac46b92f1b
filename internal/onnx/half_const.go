package onnx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/imgvec/imgvec/internal/float16"
)

// constant is a tensor that the file holds: an initializer, or what a Constant node makes.
type constant struct {
	tensor Tensor
	where  string    // how errors name it
	floats []float32 // of a Constant without a tensor; else nil
	node   bool      // a Constant node makes it

	seen         bool // whether the two below are known
	large, small bool // a value over float16's range; no value in its range of full precision
}

// maxSpans bounds the parts that a tensor's data may lie in; writers use one.
const maxSpans = 4096

type span struct{ start, end int64 }

// constant reads what a Constant node makes; its type is 0 where it makes no tensor, or one that is not dense.
func (m *Model) constant(n Node) (*constant, error) {
	c := &constant{node: true, where: fmt.Sprintf("the constant of node %q", n.Name)}
	if len(n.Outputs) > 0 {
		c.tensor.Name = n.Outputs[0]
	}
	err := m.eachAttribute(n, func(a attributeFields) error {
		switch a.name {
		case "value":
			return c.takeTensor(m.cursorIn(n.at), a)
		case "value_float", "value_floats":
			return c.takeFloats(m.cursorIn(n.at), a)
		case "value_int", "value_ints":
			c.tensor.Elem = Int64
		}
		return nil
	})
	return c, err
}

func (c *constant) takeTensor(in *cursor, a attributeFields) error {
	for _, f := range a.fields {
		if !f.message(attrTensor) {
			continue
		}
		t, err := parseTensor(in.in(f), f)
		if err != nil {
			return err
		}
		t.Name = c.tensor.Name
		if c.tensor = t; t.External {
			return fmt.Errorf("%s keeps its data outside of the model, where only weights can", c.where)
		}
	}
	return nil
}

func (c *constant) takeFloats(in *cursor, a attributeFields) error {
	c.floats = []float32{}
	for _, f := range a.fields {
		switch {
		case f.num == attrF && f.kind == protowire.Fixed32Type, f.num == attrFloats && f.kind != protowire.VarintType:
		default:
			continue
		}
		if f.end-f.start > 4*maxList || len(c.floats) > maxList {
			return fmt.Errorf("%w: %s has too many numbers", errFormat, c.where)
		}
		b := make([]byte, f.end-f.start)
		if err := readFull(in.r, b, f.start); err != nil {
			return err
		}
		for ; len(b) >= 4; b = b[4:] {
			c.floats = append(c.floats, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	}
	c.tensor.Elem = Float
	if a.name == "value_floats" {
		c.tensor.Dims = []int64{int64(len(c.floats))}
	} else if len(c.floats) != 1 {
		return fmt.Errorf("%w: %s is not one number", errFormat, c.where)
	}
	return nil
}

// elements is their number, 0 where the shape makes no sense.
func (t *Tensor) elements() int64 {
	n := int64(1)
	for _, d := range t.Dims {
		if d < 0 || d > 0 && n > maxModel/d {
			return 0
		}
		n *= d
	}
	return n
}

// data opens the float32 data of a constant, to be read once. They are as long as the shape says.
func (c *constant) data(r io.ReaderAt, open Opener) (io.Reader, func() error, error) {
	if c.floats != nil {
		b := make([]byte, 0, 4*len(c.floats))
		for _, v := range c.floats {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return bytes.NewReader(b), func() error { return nil }, nil
	}
	in := &cursor{r: r, pos: c.tensor.at.start, end: c.tensor.at.end, w: &window{}}
	if c.tensor.External {
		return c.outside(in, open)
	}
	spans, size, err := in.spans()
	if err != nil {
		return nil, nil, err
	}
	if size != c.tensor.bytes() {
		return nil, nil, fmt.Errorf("%w: %s has %d bytes of float32 for shape %v", errFormat, c.where, size, c.tensor.Dims)
	}
	parts := make([]io.Reader, len(spans))
	for i, s := range spans {
		parts[i] = io.NewSectionReader(r, s.start, s.end-s.start)
	}
	return io.MultiReader(parts...), func() error { return nil }, nil
}

// spans are where a TensorProto's float32 data lie: raw, or as numbers of their own.
func (c *cursor) spans() (spans []span, size int64, err error) {
	err = c.each(func(f field) error {
		switch {
		case f.message(tensorRaw):
			spans, size = append(spans[:0], span{f.start, f.end}), f.end-f.start
		case f.num == tensorFloatData && f.kind != protowire.VarintType:
			if len(spans) > 0 && spans[len(spans)-1].end == f.start {
				spans[len(spans)-1].end = f.end
			} else {
				spans = append(spans, span{f.start, f.end})
			}
			size += f.end - f.start
		case f.num == tensorSegment:
			return errors.New("a tensor in segments can't be converted")
		}
		if len(spans) > maxSpans {
			return errors.New("a tensor whose numbers lie apart can't be converted")
		}
		return nil
	})
	return spans, size, err
}

func (c *constant) outside(in *cursor, open Opener) (io.Reader, func() error, error) {
	ext, _, err := in.external()
	if err != nil {
		return nil, nil, err
	}
	if open == nil {
		return nil, nil, fmt.Errorf("%s lies outside of the model, in %q", c.where, ext.name)
	}
	if ext.name == "" || ext.offset < 0 || ext.length != 0 && ext.length != c.tensor.bytes() {
		return nil, nil, fmt.Errorf("%s: its data outside of the model (%+v) do not fit its shape %v", c.where, ext, c.tensor.Dims)
	}
	f, err := open(ext.name)
	if err != nil {
		return nil, nil, err
	}
	if _, err := f.Seek(ext.offset, io.SeekStart); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, f.Close, nil
}

// eachChunk reads a constant's floats, 4 bytes each, in chunks.
func (c *constant) eachChunk(r io.ReaderAt, open Opener, do func(chunk []byte) error) (err error) {
	in, done, err := c.data(r, open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	left := c.tensor.bytes()
	buf := make([]byte, max(0, min(left, 64<<10)))
	for ; left > 0; left -= int64(len(buf)) {
		buf = buf[:min(left, int64(len(buf)))]
		if _, err := io.ReadFull(in, buf); err != nil {
			return fmt.Errorf("%w: %s is cut off (%w)", errFormat, c.where, err)
		}
		if err := do(buf); err != nil {
			return err
		}
	}
	return nil
}

const (
	halfLimit = 65520              // from here on the nearest half is infinity
	halfMost  = 65504              // the largest half
	halfLeast = float32(1) / 16384 // the smallest half of full precision
)

// look reads the values to see whether they fit float16.
func (c *constant) look(r io.ReaderAt, open Opener) error {
	if c.seen {
		return nil
	}
	most := float32(0)
	err := c.eachChunk(r, open, func(chunk []byte) error {
		for ; len(chunk) >= 4; chunk = chunk[4:] {
			v := math.Float32frombits(binary.LittleEndian.Uint32(chunk) &^ (1 << 31))
			if v > most && v <= math.MaxFloat32 { // neither NaN nor infinity, which halves have too
				most = v
			}
		}
		return nil
	})
	c.seen, c.large, c.small = true, most >= halfLimit, most > 0 && most < halfLeast
	return err
}

// halves writes the values as float16; what is finite and too large becomes the largest half.
func (c *copier) halves(of *constant) {
	if c.err != nil {
		return
	}
	out := make([]byte, 0, 32<<10)
	c.err = of.eachChunk(c.r, c.open, func(chunk []byte) error {
		out = out[:0]
		for ; len(chunk) >= 4; chunk = chunk[4:] {
			out = binary.LittleEndian.AppendUint16(out, toHalf(math.Float32frombits(binary.LittleEndian.Uint32(chunk))))
		}
		_, err := c.w.Write(out)
		return err
	})
}

func toHalf(v float32) uint16 {
	switch {
	case v >= halfLimit && v <= math.MaxFloat32:
		v = halfMost
	case v <= -halfLimit && v >= -math.MaxFloat32:
		v = -halfMost
	}
	return float16.From(v)
}
