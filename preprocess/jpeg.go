package preprocess

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/preprocess/internal/codec"
)

// jpegInto decodes a JPEG by libjpeg-turbo and resizes it on the way, which takes the given bytes.
func (w *Worker) jpegInto(dst []uint8, data []byte, h codec.Header, orientation int, resize int64) error {
	if err := w.reserve(jpegMemory(data, h) + resize); err != nil {
		return err
	}
	plan, offset := w.p.plan(h.Width, h.Height, orientation)
	_, err := w.native.JPEGInto(w.p.jpeg.lib, plan, data, h.Width, h.Height, w.careful, dst[offset:])
	switch {
	case errors.Is(err, csrc.ErrTruncated), errors.Is(err, csrc.ErrBroken):
		return fmt.Errorf("%w: jpeg: %w", imgvec.ErrDecode, err)
	case err != nil:
		return fmt.Errorf("imgvec: decode jpeg: %w", err)
	}
	return nil
}

// jpegMemory is what libjpeg takes for a file: a few rows, or every coefficient where the picture comes in several scans.
func jpegMemory(data []byte, h codec.Header) int64 {
	const perColumn, perPixel = 512, 8
	if severalScans(data) {
		return int64(h.Width) * int64(h.Height) * perPixel
	}
	return int64(h.Width) * perColumn
}

// severalScans tells whether a JPEG file is progressive, or has its colours in scans of their own. The header was found
// sound before.
func severalScans(data []byte) bool {
	components := 0
	for at := 2; at+9 < len(data); {
		mark := data[at+1]
		if data[at] != 0xff || mark == 0xff || mark == 0 { // junk, fill bytes
			at++
			continue
		}
		if mark == 0xda {
			return int(data[at+4]) < components
		}
		if mark >= 0xc0 && mark <= 0xcf && mark&3 != 0 || mark == 0xc0 { // SOF0..3, 5..7, 9..11, 13..15
			if mark&3 == 2 { // the progressive ones
				return true
			}
			components = int(data[at+9])
		}
		if mark >= 0xd0 && mark <= 0xd9 || mark >= 0xf0 && mark <= 0xfd || mark == 0xc8 { // no length
			at += 2
			continue
		}
		at += 2 + max(int(binary.BigEndian.Uint16(data[at+2:])), 2)
	}
	return false
}
