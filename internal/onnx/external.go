package onnx

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// external is where a tensor's data lie outside of the model file.
type external struct {
	name           string
	offset, length int64
}

// internalise gives the initializer's new field up to its data, and where the data lie.
func (m *Model) internalise(t Tensor) (head []byte, ext external, err error) {
	c := &cursor{r: m.r, pos: t.at.start, end: t.at.end, w: &window{}}
	ext, kept, err := c.external()
	if err != nil {
		return nil, ext, err
	}
	if ext.length == 0 {
		ext.length = t.bytes()
	}
	if ext.name == "" || ext.offset < 0 || ext.length < 0 || ext.length > maxModel || ext.length != t.bytes() {
		return nil, ext, fmt.Errorf("tensor %q: its data outside of the model (%+v) do not fit its shape %v", t.Name, ext, t.Dims)
	}
	kept = protowire.AppendTag(kept, tensorRaw, protowire.BytesType)
	kept = protowire.AppendVarint(kept, uint64(ext.length))
	head = protowire.AppendTag(nil, graphInitializer, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(int64(len(kept))+ext.length))
	return append(head, kept...), ext, nil
}

// external reads a TensorProto whose data are outside; kept are its other fields.
func (c *cursor) external() (ext external, kept []byte, err error) {
	err = c.each(func(f field) error {
		switch f.num {
		case tensorExternal:
			return c.in(f).externalEntry(&ext)
		case tensorDataLocation:
			return nil
		}
		if f.end-f.tag > maxString || len(kept) > maxString {
			return fmt.Errorf("%w: a tensor with data both inside and outside", errFormat)
		}
		b := make([]byte, f.end-f.tag)
		err := readFull(c.r, b, f.tag)
		kept = append(kept, b...)
		return err
	})
	return ext, kept, err
}

func (c *cursor) externalEntry(ext *external) error {
	var key, value string
	err := c.each(func(f field) (err error) {
		switch {
		case f.message(entryKey):
			key, err = c.text(f)
		case f.message(entryValue):
			value, err = c.text(f)
		}
		return err
	})
	if err != nil {
		return err
	}
	switch key {
	case "location":
		ext.name = value
	case "offset":
		ext.offset, err = strconv.ParseInt(value, 10, 64)
	case "length":
		ext.length, err = strconv.ParseInt(value, 10, 64)
	}
	return err
}

// bytes is the size of a tensor's data, -1 where it is not known.
func (t Tensor) bytes() int64 {
	size := map[Elem]int64{Float: 4, Uint8: 1, Int8: 1, Int64: 8, Float16: 2, Double: 8, 6: 4, 16: 2, 9: 1}[t.Elem]
	if size == 0 {
		return -1
	}
	for _, d := range t.Dims {
		if d < 0 || d > 0 && size > maxModel/d {
			return -1
		}
		size *= d
	}
	return size
}

// ExternalFiles lists the files outside of the model that hold weights, in order.
func (m *Model) ExternalFiles() ([]string, error) {
	var names []string
	for _, t := range m.Graph.Inits {
		if !t.External {
			continue
		}
		c := &cursor{r: m.r, pos: t.at.start, end: t.at.end, w: &window{}}
		ext, _, err := c.external()
		if err != nil {
			return nil, err
		}
		if ext.name != "" && !slices.Contains(names, ext.name) {
			names = append(names, ext.name)
		}
		if len(names) > 1000 {
			return nil, fmt.Errorf("%w: weights in over 1000 files", errFormat)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (c *copier) external(ext external) {
	if c.err != nil {
		return
	}
	f, err := c.open(ext.name)
	if err != nil {
		c.err = err
		return
	}
	defer f.Close()
	if _, err := f.Seek(ext.offset, io.SeekStart); err != nil {
		c.err = err
		return
	}
	c.copy(f, ext.length)
}
