package checkpoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// source reads a pickle's bytes and knows where it stands, because the legacy form puts raw data right behind.
type source struct {
	r    *bufio.Reader
	pos  int64
	left int64 // bytes that may still be read
}

func newSource(r io.Reader, limit int64) *source {
	return &source{r: bufio.NewReaderSize(r, 64<<10), left: limit}
}

func (s *source) take(n int64) error {
	if n > s.left {
		return errors.New("pickle: too long, or cut off")
	}
	s.left -= n
	s.pos += n
	return nil
}

func (s *source) byte() (byte, error) {
	if err := s.take(1); err != nil {
		return 0, err
	}
	b, err := s.r.ReadByte()
	return b, cutOff(err)
}

// bytes reads n bytes; n comes from the file.
func (s *source) bytes(n int64) ([]byte, error) {
	if n < 0 || n > maxString {
		return nil, fmt.Errorf("pickle: a string of %d bytes is too long", n)
	}
	if err := s.take(n); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err := io.ReadFull(s.r, b)
	return b, cutOff(err)
}

// uint reads a little-endian number of n bytes.
func (s *source) uint(n int) (uint64, error) {
	b, err := s.bytes(int64(n))
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

// line reads up to a newline, which it drops.
func (s *source) line() (string, error) {
	var text []byte
	for {
		b, err := s.byte()
		if err != nil {
			return "", err
		}
		if b == '\n' {
			return string(text), nil
		}
		if len(text) >= 1024 {
			return "", errors.New("pickle: a name is too long")
		}
		text = append(text, b)
	}
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("pickle: the file ends in the middle")
	}
	return err
}
