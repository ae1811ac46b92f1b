package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// TIFF's tags that are read here.
const (
	tagWidth         = 256
	tagHeight        = 257
	tagBits          = 258
	tagCompression   = 259
	tagPhotometric   = 262
	tagFillOrder     = 266
	tagStripOffsets  = 273
	tagSamples       = 277
	tagRowsPerStrip  = 278
	tagStripCounts   = 279
	tagPlanar        = 284
	tagT4Options     = 292
	tagPredictor     = 317
	tagColorMap      = 320
	tagTileWidth     = 322
	tagTileHeight    = 323
	tagTileOffsets   = 324
	tagTileCounts    = 325
	tagExtraSamples  = 338
	tagSampleFormat  = 339
	tagXMP           = 700
	tagWindowsMedia  = 0xbc01
	maxTIFFSamples   = 6
	tiffUncompressed = 1
	tiffOldJPEG      = 6
	tiffJPEG         = 7
	tiffYCbCr        = 6
)

// tiffFile is the first picture of a TIFF file, read by the rules of Pillow's TiffImagePlugin.
type tiffFile struct {
	data          []byte
	order         binary.ByteOrder
	big           bool
	ifd           uint64
	dir           directory
	width, height int
	compression   int
	photometric   int
	separate      bool // each sample in a plane of its own
	fillOrder     int
	bits          []int
	extra         []int
	layout        tiffLayout
	palette       [768]uint8
}

func parseTIFF(data []byte) (*tiffFile, error) {
	order, ok := byteOrder(data)
	if !ok || len(data) < 8 {
		return nil, fmt.Errorf("%w in its header", errTruncated)
	}
	t := &tiffFile{data: data, order: order, ifd: uint64(order.Uint32(data[4:]))}
	if data[2] == 43 { // BigTIFF; Pillow looks no further, and so misses it in files of the other byte order
		if len(data) < 16 {
			return nil, fmt.Errorf("%w in its header", errTruncated)
		}
		t.big, t.ifd = true, order.Uint64(data[8:])
	}
	t.dir = readDirectory(data, order, t.ifd, t.big)
	return t, t.setup()
}

// number is a tag's first value; absent where the file does not have it.
func (t *tiffFile) number(tag uint16, absent int) int {
	f, ok := t.dir.fields[tag]
	if !ok {
		return absent
	}
	return f.number(t.order)
}

// numbers are a tag's values, nil where it is absent; a value that is no number is -1.
func (t *tiffFile) numbers(tag uint16) []int {
	f, ok := t.dir.fields[tag]
	if !ok {
		return nil
	}
	n := len(f.data) / int(fieldSizes[f.kind])
	out := make([]int, n)
	for i := range out {
		v, ok := f.at(t.order, i)
		if !ok || v != math.Trunc(v) || v < 0 || v > 1<<62 {
			v = -1
		}
		out[i] = int(v)
	}
	return out
}

// side is a dimension, which must be a whole number by type as well.
func (t *tiffFile) side(tag uint16) (int, error) {
	f, ok := t.dir.fields[tag]
	if !ok {
		return 0, errors.New("no dimensions in its directory")
	}
	switch f.kind {
	case 3, 4, 6, 8, 9, 13, 16:
		if v, ok := f.at(t.order, 0); ok && v > 0 && v < 1<<40 {
			return int(v), nil
		}
	}
	return 0, errors.New("invalid dimensions")
}

func (t *tiffFile) setup() error {
	if _, ok := t.dir.fields[tagWindowsMedia]; ok {
		return errors.New("the Windows Media Photo kind is not supported")
	}
	var err error
	if t.width, err = t.side(tagWidth); err != nil {
		return err
	}
	if t.height, err = t.side(tagHeight); err != nil {
		return err
	}
	t.compression = t.number(tagCompression, tiffUncompressed)
	if tiffCompressions[t.compression] == "" {
		return fmt.Errorf("compression %d is not supported", t.compression)
	}
	t.photometric = t.number(tagPhotometric, 0)
	if t.compression == tiffOldJPEG {
		t.photometric = tiffYCbCr
	}
	t.fillOrder = t.number(tagFillOrder, 1)
	t.separate = t.number(tagPlanar, 1) == 2
	if err := t.samples(); err != nil {
		return err
	}
	return t.settle()
}

var tiffCompressions = map[int]string{
	1: "raw", 2: "CCITT", 3: "Group 3", 4: "Group 4", 5: "LZW", tiffOldJPEG: "old JPEG", tiffJPEG: "JPEG", 8: "Deflate",
	32771: "raw 16", 32773: "PackBits", 32809: "ThunderScan", 32946: "Deflate", 34676: "SGI LogL", 34677: "SGI LogLuv",
	34925: "LZMA", 50000: "Zstandard", 50001: "WebP",
}

// samples reads how many bits each sample has.
func (t *tiffFile) samples() error {
	t.bits, t.extra = t.numbers(tagBits), t.numbers(tagExtraSamples)
	if t.bits == nil {
		t.bits = []int{1}
	}
	absent := 1
	if t.compression == tiffOldJPEG {
		absent = 3
	}
	count := t.number(tagSamples, absent)
	if n := len(t.extra); t.separate && n > 0 && allZero(t.extra) {
		// Planes at the end of which nobody says what they are can be left alone.
		t.bits = t.bits[:max(len(t.bits)-n, 0)]
		count -= n
		t.extra = nil
	}
	if count > maxTIFFSamples || count < 1 {
		return fmt.Errorf("%d samples a pixel are not supported", count)
	}
	if count < len(t.bits) {
		t.bits = t.bits[:count]
	} else if len(t.bits) == 1 {
		for len(t.bits) < count {
			t.bits = append(t.bits, t.bits[0])
		}
	}
	if len(t.bits) != count {
		return fmt.Errorf("%d samples a pixel, but bits for %d", count, len(t.bits))
	}
	return nil
}

func allZero(values []int) bool {
	for _, v := range values {
		if v != 0 {
			return false
		}
	}
	return true
}

// settle finds the pixels' layout, and the palette.
func (t *tiffFile) settle() error {
	format := t.numbers(tagSampleFormat)
	if format == nil {
		format = []int{1}
	}
	for _, v := range format[1:] {
		if v != format[0] {
			return fmt.Errorf("sample formats %v are not supported", format)
		}
	}
	compressed := t.compression != tiffUncompressed
	layout, ok := tiffLayoutOf(t, format[0], t.fillOrder)
	if ok && compressed {
		// libtiff turns bits and bytes round itself.
		if t.fillOrder == 2 {
			layout, ok = tiffLayoutOf(t, format[0], 1)
		}
		if t.photometric == tiffYCbCr {
			layout = tiffLayout{mode: "RGB", raw: "RGBX"}
			if t.compression == tiffJPEG && !t.separate {
				layout.raw = "RGB"
			}
		}
		layout.native()
	}
	if !ok {
		return fmt.Errorf("pixels of this kind are not supported (photometric %d, bits %v, extra samples %v, sample format %v, fill order %d)",
			t.photometric, t.bits, t.extra, format, t.fillOrder)
	}
	t.layout = layout
	if layout.mode != "P" && layout.mode != "PA" {
		return nil
	}
	colours := t.numbers(tagColorMap)
	if len(colours) == 0 {
		return errors.New("no palette")
	}
	if len(colours)/3 > 256 {
		return fmt.Errorf("palette of %d colours", len(colours)/3)
	}
	n := len(colours) / 3
	for i := range n {
		for c := range 3 {
			t.palette[3*i+c] = uint8(colours[c*n+i] >> 8)
		}
	}
	return nil
}

func tiffHeader(data []byte) (Header, error) {
	t, err := parseTIFF(data)
	if err != nil {
		return Header{}, err
	}
	return Header{Width: t.width, Height: t.height, Orientation: t.orientation(), AlwaysOrient: true}, nil
}

func (t *tiffFile) orientation() int {
	if f, ok := t.dir.fields[tagOrientation]; ok {
		if o := f.number(t.order); o >= 1 && o <= 8 {
			return o
		}
		return 1
	}
	return orientation(nil, t.dir.fields[tagXMP].data)
}

// decodeTIFF decodes the first picture as it is stored; the caller must turn it, see Header.AlwaysOrient.
func decodeTIFF(data []byte, lim Limits, buf []byte) (Image, error) {
	t, err := parseTIFF(data)
	if err != nil {
		return Image{}, err
	}
	if err := checkSize(t.width, t.height, lim); err != nil {
		return Image{}, err
	}
	if t.compression == tiffUncompressed {
		return t.decodeRaw(lim, buf)
	}
	return t.decodeCompressed(lim, buf)
}

// maxTIFFBlock is the most memory that one strip or tile may take, when it is not the picture itself that is large.
const maxTIFFBlock = 256 << 20

// blockBytes bounds the size of a strip or tile, unpacked.
func (t *tiffFile) blockBytes() (int64, error) {
	w, h := int64(t.width), int64(t.number(tagRowsPerStrip, t.height))
	if _, ok := t.dir.fields[tagTileWidth]; ok {
		w, h = int64(t.number(tagTileWidth, 0)), int64(t.number(tagTileHeight, 0))
	} else if h <= 0 || h > int64(t.height) {
		h = int64(t.height)
	}
	bits := int64(0)
	for _, b := range t.bits {
		bits += int64(b)
	}
	bits = max(bits, 32) // libtiff's RGBA rows
	pixels := int64(t.width) * int64(t.height)
	if w <= 0 || h <= 0 || w > math.MaxInt32 || h > math.MaxInt32 || w*h > max(maxTIFFBlock*8/bits, 2*pixels) {
		return 0, fmt.Errorf("strips or tiles of %d x %d pixels", w, h)
	}
	return (w*bits + 7) / 8 * h, nil
}
