package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

// tiffGo unpacks strips and tiles without libtiff: LZW, Deflate, PackBits, Zstandard, Group 3 (one-dimensional) and
// Group 4.
type tiffGo struct {
	t               *tiffFile
	made            tiffShape
	offsets, counts []int
	across, down    int // tiles
	samples         int // of a pixel in a block
}

func newTIFFGo(t *tiffFile) (*tiffGo, error) {
	switch t.compression {
	case 3, 4, 5, 8, 32773, 32946, 50000:
	default:
		return nil, fmt.Errorf("%s compression is not decoded without libtiff", tiffCompressions[t.compression])
	}
	if t.photometric == tiffYCbCr {
		return nil, errors.New("YCbCr colours are not decoded without libtiff")
	}
	s := &tiffGo{t: t, samples: len(t.bits)}
	_, tiled := t.dir.fields[tagTileWidth]
	s.made = tiffShape{
		width: t.width, height: t.height, separate: t.separate, bits: t.bits[0], tiled: tiled, blockW: t.width,
		// libtiff takes a fourth sample of which nothing is said for one that is not described.
		associated: len(t.extra) > 0 && t.extra[0] <= 1 || len(t.extra) == 0 && t.photometric == 2 && len(t.bits) > 3,
	}
	s.made.blockH = t.number(tagRowsPerStrip, t.height)
	s.offsets, s.counts = t.numbers(tagStripOffsets), t.numbers(tagStripCounts)
	if tiled {
		s.made.blockW, s.made.blockH = t.number(tagTileWidth, 0), t.number(tagTileHeight, 0)
		s.offsets, s.counts = t.numbers(tagTileOffsets), t.numbers(tagTileCounts)
	} else if s.made.blockH <= 0 || s.made.blockH > t.height {
		s.made.blockH = t.height
	}
	if s.made.blockW <= 0 || s.made.blockH <= 0 {
		return nil, errTIFFShape
	}
	if t.separate {
		s.samples = 1
	}
	s.across, s.down = ceilDiv(t.width, s.made.blockW), ceilDiv(t.height, s.made.blockH)
	s.made.rowBytes = (s.made.blockW*s.samples*t.bits[0] + 7) / 8
	s.made.blockBytes = s.made.rowBytes * s.made.blockH
	return s, nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func (s *tiffGo) shape() tiffShape { return s.made }

func (s *tiffGo) close() {}

func (s *tiffGo) rgba(int, int, []byte) error {
	return errors.New("YCbCr colours are not decoded without libtiff")
}

func (s *tiffGo) strip(y, plane int, buf []byte) error {
	rows := min(s.made.blockH, s.made.height-y)
	return s.block(plane*s.down+y/s.made.blockH, rows, buf)
}

func (s *tiffGo) tile(x, y, plane int, buf []byte) error {
	i := (plane*s.down+y/s.made.blockH)*s.across + x/s.made.blockW
	return s.block(i, s.made.blockH, buf)
}

// block unpacks rows of the i-th strip or tile.
func (s *tiffGo) block(i, rows int, buf []byte) error {
	if i >= len(s.offsets) || i >= len(s.counts) {
		return errTruncated
	}
	at, n := s.offsets[i], s.counts[i]
	if at < 0 || n <= 0 || at > len(s.t.data) || len(s.t.data)-at < n {
		return errTruncated
	}
	packed := s.t.data[at : at+n]
	if s.t.fillOrder == 2 {
		packed = turned(packed, true)
	}
	buf = buf[:rows*s.made.rowBytes]
	if err := s.unpack(packed, rows, buf); err != nil {
		if errors.Is(err, errUnexpectedEOF) || isEOF(err) {
			err = errTruncated
		}
		return fmt.Errorf("%s strip or tile %d: %w", tiffCompressions[s.t.compression], i, err)
	}
	for row := range rows {
		if err := s.order(buf[row*s.made.rowBytes:][:s.made.rowBytes]); err != nil {
			return err
		}
	}
	return nil
}

func (s *tiffGo) unpack(packed []byte, rows int, buf []byte) error {
	r := bytes.NewReader(packed)
	switch s.t.compression {
	case 3, 4:
		form := ccitt.Group4
		if s.t.compression == 3 {
			form = ccitt.Group3
			if s.t.number(tagT4Options, 0)&1 != 0 {
				return errors.New("two-dimensional coding is not decoded without libtiff")
			}
		}
		// libtiff has black at 1, as faxes do.
		_, err := io.ReadFull(ccitt.NewReader(r, ccitt.MSB, form, s.made.blockW, rows, &ccitt.Options{Invert: true}), buf)
		return err
	case 5:
		z := lzw.NewReader(r, lzw.MSB, 8)
		defer z.Close()
		_, err := io.ReadFull(z, buf)
		return err
	case 32773:
		return unpackBits(packed, buf)
	case 50000:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxTIFFBlock))
		if err != nil {
			return err
		}
		defer z.Close()
		_, err = io.ReadFull(z, buf)
		return err
	}
	z, err := zlib.NewReader(r)
	if err != nil {
		return err
	}
	defer z.Close()
	_, err = io.ReadFull(z, buf)
	return err
}

// unpackBits undoes Apple's run-length coding.
func unpackBits(packed, buf []byte) error {
	for len(buf) > 0 {
		if len(packed) < 2 {
			return errTruncated
		}
		n := int(int8(packed[0]))
		packed = packed[1:]
		switch {
		case n == -128:
		case n < 0:
			run := buf[:min(1-n, len(buf))]
			for i := range run {
				run[i] = packed[0]
			}
			packed, buf = packed[1:], buf[len(run):]
		default:
			n = min(n+1, len(buf))
			if len(packed) < n {
				return errTruncated
			}
			copy(buf, packed[:n])
			packed, buf = packed[n:], buf[n:]
		}
	}
	return nil
}

// order brings samples to the machine's byte order and undoes the predictor.
func (s *tiffGo) order(row []byte) error {
	bits := s.t.bits[0]
	if bits == 16 {
		for i := 0; i+2 <= len(row); i += 2 {
			binary.NativeEndian.PutUint16(row[i:], s.t.order.Uint16(row[i:]))
		}
	}
	if bits == 32 {
		for i := 0; i+4 <= len(row); i += 4 {
			binary.NativeEndian.PutUint32(row[i:], s.t.order.Uint32(row[i:]))
		}
	}
	if s.t.compression == 3 || s.t.compression == 4 || s.t.compression == 32773 {
		return nil
	}
	switch p := s.t.number(tagPredictor, 1); {
	case p == 1:
		return nil
	case p != 2:
		return fmt.Errorf("predictor %d is not decoded without libtiff", p)
	}
	switch bits {
	case 8:
		for i := s.samples; i < len(row); i++ {
			row[i] += row[i-s.samples]
		}
	case 16:
		for i := 2 * s.samples; i+2 <= len(row); i += 2 {
			v := binary.NativeEndian.Uint16(row[i:]) + binary.NativeEndian.Uint16(row[i-2*s.samples:])
			binary.NativeEndian.PutUint16(row[i:], v)
		}
	case 32:
		for i := 4 * s.samples; i+4 <= len(row); i += 4 {
			v := binary.NativeEndian.Uint32(row[i:]) + binary.NativeEndian.Uint32(row[i-4*s.samples:])
			binary.NativeEndian.PutUint32(row[i:], v)
		}
	default:
		return fmt.Errorf("predictor for %d bits", bits)
	}
	return nil
}
