package onnx

import (
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// errFormat is wrapped by everything that is wrong with a file's structure.
var errFormat = errors.New("not an ONNX file, or a damaged one")

// maxString bounds a name or a text that is kept.
const maxString = 64 << 10

// cursor walks the fields of a protobuf message in a file, without reading what is skipped.
type cursor struct {
	r        io.ReaderAt
	pos, end int64
	w        *window
}

// window holds a part of the file; the cursors of a file share it, and what peek gives is good until the next call.
type window struct {
	buf []byte
	at  int64
}

const windowSize = 16 << 10

// field is one field of a message: a number, and its payload's place in the file, or its value.
type field struct {
	num        protowire.Number
	kind       protowire.Type
	tag        int64  // where the field starts
	start, end int64  // payload of a length-delimited field; end of any field
	value      uint64 // of a varint or fixed field
}

func newCursor(r io.ReaderAt, size int64) *cursor { return &cursor{r: r, end: size, w: &window{}} }

// in walks the message that is a field's payload, with the same window.
func (c *cursor) in(f field) *cursor {
	return &cursor{r: c.r, pos: f.start, end: f.end, w: c.w}
}

// peek gives up to n bytes at pos, at most windowSize, fewer only at the message's end.
func (c *cursor) peek(n int64) ([]byte, error) {
	n = min(n, c.end-c.pos)
	if c.pos < c.w.at || c.pos+n > c.w.at+int64(len(c.w.buf)) {
		buf := c.w.buf[:cap(c.w.buf)]
		if len(buf) < windowSize {
			buf = make([]byte, windowSize)
		}
		got, err := c.r.ReadAt(buf, c.pos)
		c.w.buf, c.w.at = buf[:got], c.pos
		if int64(got) < n {
			return nil, fmt.Errorf("%w: it is cut off at byte %d (%w)", errFormat, c.pos+int64(got), err)
		}
	}
	from := c.pos - c.w.at
	return c.w.buf[from : from+n], nil
}

func (c *cursor) varint() (uint64, error) {
	b, err := c.peek(10)
	if err != nil {
		return 0, err
	}
	v, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, fmt.Errorf("%w: bad number at byte %d", errFormat, c.pos)
	}
	c.pos += int64(n)
	return v, nil
}

// next reads the next field and steps over its payload; ok is false at the end.
func (c *cursor) next() (f field, ok bool, err error) {
	if c.pos >= c.end {
		return field{}, false, nil
	}
	f.tag = c.pos
	tag, err := c.varint()
	if err != nil {
		return field{}, false, err
	}
	num, kind := protowire.DecodeTag(tag)
	if num < 1 {
		return field{}, false, fmt.Errorf("%w: bad field at byte %d", errFormat, f.tag)
	}
	f.num, f.kind = num, kind
	if err := c.payload(&f); err != nil {
		return field{}, false, err
	}
	return f, true, nil
}

func (c *cursor) payload(f *field) (err error) {
	var length uint64
	switch f.kind {
	case protowire.VarintType:
		f.value, err = c.varint()
		f.end = c.pos
		return err
	case protowire.Fixed32Type:
		length = 4
	case protowire.Fixed64Type:
		length = 8
	case protowire.BytesType:
		if length, err = c.varint(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: field of kind %d at byte %d", errFormat, f.kind, f.tag)
	}
	if length > uint64(c.end-c.pos) {
		return fmt.Errorf("%w: it is cut off, or a length at byte %d is wrong", errFormat, f.tag)
	}
	f.start = c.pos
	f.end = c.pos + int64(length)
	c.pos = f.end
	return nil
}

// each calls do for every field of the message.
func (c *cursor) each(do func(f field) error) error {
	for {
		f, ok, err := c.next()
		if err != nil || !ok {
			return err
		}
		if err := do(f); err != nil {
			return err
		}
	}
}

// text reads a string field.
func (c *cursor) text(f field) (string, error) {
	if f.kind != protowire.BytesType || f.end-f.start > maxString {
		return "", fmt.Errorf("%w: a name of %d bytes at byte %d", errFormat, f.end-f.start, f.tag)
	}
	if f.end-f.start <= windowSize {
		b, err := c.in(f).peek(f.end - f.start)
		return string(b), err
	}
	b := make([]byte, f.end-f.start)
	err := readFull(c.r, b, f.start)
	return string(b), err
}

func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	return fmt.Errorf("%w: it is cut off at byte %d (%w)", errFormat, at+int64(n), err)
}

// message tells whether a field holds a message of the given number.
func (f field) message(num protowire.Number) bool {
	return f.num == num && f.kind == protowire.BytesType
}

// ints reads a repeated integer field, packed or not, into out.
func (c *cursor) ints(f field, out []int64, most int) ([]int64, error) {
	if f.kind == protowire.VarintType {
		if len(out) >= most {
			return nil, fmt.Errorf("%w: too many numbers at byte %d", errFormat, f.tag)
		}
		return append(out, int64(f.value)), nil
	}
	if f.kind != protowire.BytesType {
		return nil, fmt.Errorf("%w: field of kind %d at byte %d", errFormat, f.kind, f.tag)
	}
	in := c.in(f)
	for in.pos < in.end {
		v, err := in.varint()
		if err != nil {
			return nil, err
		}
		if len(out) >= most {
			return nil, fmt.Errorf("%w: too many numbers at byte %d", errFormat, f.tag)
		}
		out = append(out, int64(v))
	}
	return out, nil
}
