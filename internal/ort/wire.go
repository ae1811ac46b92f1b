package ort

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// wireReader reads protobuf fields from a file.
type wireReader struct {
	file io.ReadSeeker
	buf  *bufio.Reader
	at   int64
}

// fields calls each for every length-delimited field of the next size bytes; each must consume the field's content.
func (r *wireReader) fields(size int64, each func(num protowire.Number, size int64) error) error {
	end := r.at + size
	for r.at < end {
		tag, err := r.varint()
		if err != nil {
			return err
		}
		num, typ := protowire.DecodeTag(tag)
		switch typ {
		case protowire.VarintType:
			_, err = r.varint()
		case protowire.Fixed32Type:
			err = r.skip(4)
		case protowire.Fixed64Type:
			err = r.skip(8)
		case protowire.BytesType:
			var n uint64
			if n, err = r.varint(); err == nil && int64(n) >= 0 && int64(n) <= end-r.at {
				err = each(num, int64(n))
			} else if err == nil {
				err = io.ErrUnexpectedEOF
			}
		default:
			err = fmt.Errorf("byte %d is of no protobuf field", r.at)
		}
		if err != nil {
			return err
		}
	}
	if r.at != end {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (r *wireReader) varint() (uint64, error) {
	v, err := binary.ReadUvarint(&counted{r})
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return v, err
}

type counted struct{ *wireReader }

func (c *counted) ReadByte() (byte, error) {
	b, err := c.buf.ReadByte()
	if err == nil {
		c.at++
	}
	return b, err
}

func (r *wireReader) skip(n int64) error {
	r.at += n
	if n <= int64(r.buf.Buffered()) {
		_, err := r.buf.Discard(int(n))
		return err
	}
	if _, err := r.file.Seek(r.at, io.SeekStart); err != nil {
		return err
	}
	r.buf.Reset(r.file)
	return nil
}

// field is the content of the last length-delimited field of that number; nil where there is none.
func field(data []byte, want protowire.Number) []byte {
	var content []byte
	eachField(data, func(num protowire.Number, bytes []byte, _ uint64) {
		if num == want && bytes != nil {
			content = bytes
		}
	})
	return content
}

func eachField(data []byte, each func(num protowire.Number, bytes []byte, varint uint64)) {
	for len(data) > 0 {
		num, typ, n := protowire.ConsumeTag(data)
		if n < 0 {
			return
		}
		data = data[n:]
		switch typ {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(data)
			if n < 0 {
				return
			}
			each(num, nil, v)
			data = data[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(data)
			if n < 0 {
				return
			}
			each(num, v[:len(v):len(v)], 0)
			data = data[n:]
		default:
			n := protowire.ConsumeFieldValue(num, typ, data)
			if n < 0 {
				return
			}
			data = data[n:]
		}
	}
}
