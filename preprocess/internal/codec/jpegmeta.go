package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// jpegMeta is what stands in front of a JPEG file's first scan.
type jpegMeta struct {
	width, height int
	components    int
	exif, xmp     []byte
	adobe         int // offset of the Adobe segment's colour transform; 0 without one
}

func jpegHeader(data []byte) (Header, error) {
	m, err := readJPEGMeta(data)
	if err != nil {
		return Header{}, err
	}
	return Header{Width: m.width, Height: m.height, Orientation: orientation(m.exif, m.xmp)}, nil
}

const (
	markSOS   = 0xda
	markAPP1  = 0xe1
	markAPP14 = 0xee
)

var errJPEGShort = errors.New("the file ends in its header: it is truncated")

// readJPEGMeta walks the markers up to the first scan by Pillow's rules (JpegImagePlugin._open), which refuse what
// libjpeg's own header reader might take: a frame of other than 8 bits, or of other than 1, 3 or 4 components.
func readJPEGMeta(data []byte) (jpegMeta, error) {
	var m jpegMeta
	at := 2
	for {
		for at < len(data) && data[at] != 0xff {
			at++ // junk between segments
		}
		for at < len(data) && data[at] == 0xff {
			at++
		}
		if at >= len(data) {
			return m, errJPEGShort
		}
		mark := data[at]
		at++
		if mark == 0 {
			continue
		}
		if mark < 0xc0 {
			return m, fmt.Errorf("no marker found at byte %d (0x%02x)", at-1, mark)
		}
		if !hasLength(mark) {
			continue
		}
		if len(data)-at < 2 {
			return m, errJPEGShort
		}
		n := int(binary.BigEndian.Uint16(data[at:]))
		body := []byte{}
		if n > 2 {
			if len(data)-at < n {
				return m, errJPEGShort
			}
			body = data[at+2 : at+n]
		}
		if mark == markAPP14 && len(body) >= 12 && bytes.HasPrefix(body, []byte("Adobe")) {
			m.adobe = at + 2 + 11
		}
		at += max(n, 2)
		if err := m.segment(mark, body); err != nil {
			return m, err
		}
		if mark == markSOS {
			return m, m.check()
		}
	}
}

// hasLength says whether a segment with a length follows a marker.
func hasLength(mark byte) bool {
	bare := mark == 0xc8 || mark >= 0xd0 && mark <= 0xd9 || mark >= 0xf0 && mark <= 0xfd
	return !bare
}

// isFrame says whether a marker begins a frame: SOF0..15 without DHT, JPG and DAC.
func isFrame(mark byte) bool {
	return mark >= 0xc0 && mark <= 0xcf && mark != 0xc4 && mark != 0xc8 && mark != 0xcc
}

var (
	exifMark = []byte("Exif\x00\x00")
	xmpMark  = []byte("http://ns.adobe.com/xap/1.0/\x00")
)

func (m *jpegMeta) segment(mark byte, body []byte) error {
	switch {
	case mark == markAPP1 && bytes.HasPrefix(body, exifMark):
		if m.exif == nil {
			m.exif = body
		} else {
			m.exif = append(bytes.Clone(m.exif), body[6:]...) // a block over 64 KiB comes in parts
		}
	case mark == markAPP1 && bytes.HasPrefix(body, xmpMark):
		m.xmp = body[len(xmpMark):]
	case isFrame(mark):
		if len(body) < 6 {
			return errors.New("the frame header is too short")
		}
		if body[0] != 8 {
			return fmt.Errorf("%d bits a sample: only 8 are supported", body[0])
		}
		m.height, m.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
		m.components = int(body[5])
		if m.components != 1 && m.components != 3 && m.components != 4 {
			return fmt.Errorf("%d colour components: 1, 3 and 4 are supported", m.components)
		}
	}
	return nil
}

func (m *jpegMeta) check() error {
	if m.components == 0 {
		return errors.New("no frame header in front of the first scan")
	}
	if m.width == 0 || m.height == 0 {
		return fmt.Errorf("size %d x %d", m.width, m.height)
	}
	return nil
}
