package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// bmpFile is the header of a Windows or OS/2 bitmap, read by the rules of Pillow's BmpImagePlugin.
type bmpFile struct {
	width, height int
	down          bool // rows from top to bottom
	bits          int
	compression   uint32
	colours       uint64
	padding       int // bytes of a palette entry
	masks         [4]uint32
	palette       [768]uint8
	layout        bmpLayout
	at            int // of the pixels
}

const (
	bmpRaw = iota
	bmpRLE8
	bmpRLE4
	bmpFields
)

// bmpLayout is how a row's pixels lie in the file.
type bmpLayout int

const (
	bmpIndex  bmpLayout = iota // palette
	bmpBits                    // black and white
	bmpGray                    // a byte each
	bmpDirect                  // whole bytes, see offsets
	bmp555
	bmp565
)

var errBMPShort = fmt.Errorf("%w in its header", errTruncated)

func parseBMP(data []byte) (*bmpFile, error) {
	if len(data) < 18 {
		return nil, errBMPShort
	}
	size := binary.LittleEndian.Uint32(data[14:])
	switch size {
	case 12, 40, 52, 56, 64, 108, 124:
	default:
		return nil, fmt.Errorf("header of unknown kind (%d bytes)", size)
	}
	at := 14 + int(size)
	if len(data) < at {
		return nil, errBMPShort
	}
	b := &bmpFile{at: int(binary.LittleEndian.Uint32(data[10:]))}
	header := data[18:at]
	if size == 12 {
		b.core(header)
	} else {
		n, err := b.info(header, data[at:])
		if err != nil {
			return nil, err
		}
		at += n
	}
	if b.width == 0 || b.height == 0 {
		return nil, fmt.Errorf("size %d x %d", b.width, b.height)
	}
	return b, b.finish(data, at, int(size))
}

// core reads OS/2's first header.
func (b *bmpFile) core(h []byte) {
	b.width, b.height = int(binary.LittleEndian.Uint16(h)), int(binary.LittleEndian.Uint16(h[2:]))
	b.bits = int(binary.LittleEndian.Uint16(h[6:]))
	b.padding = 3
}

// info reads the later headers and returns how many bytes of colour masks followed.
func (b *bmpFile) info(h, rest []byte) (int, error) {
	b.width = int(binary.LittleEndian.Uint32(h))
	height := binary.LittleEndian.Uint32(h[4:])
	b.down = h[7] == 0xff // Pillow looks at the top byte alone
	b.height = int(height)
	if b.down {
		b.height = int(1<<32 - int64(height))
	}
	b.bits = int(binary.LittleEndian.Uint16(h[10:]))
	b.compression = binary.LittleEndian.Uint32(h[12:])
	b.colours = uint64(binary.LittleEndian.Uint32(h[28:]))
	b.padding = 4
	if b.compression != bmpFields {
		return 0, nil
	}
	masks, used := h, 0
	at, n := 36, 3
	switch {
	case len(h) >= 52:
		n = 4
	case len(h) < 48:
		if len(rest) < 12 {
			return 0, errBMPShort
		}
		masks, at, used = rest, 0, 12
	}
	for i := range n {
		b.masks[i] = binary.LittleEndian.Uint32(masks[at+4*i:])
	}
	return used, nil
}

// finish settles the layout and reads the palette at data[at:].
func (b *bmpFile) finish(data []byte, at, size int) error {
	switch b.bits {
	case 1, 4, 8, 16, 24, 32:
	default:
		return fmt.Errorf("%d bits a pixel are not supported", b.bits)
	}
	if b.colours == 0 {
		b.colours = 1 << b.bits
	}
	if b.at == 14+size && b.bits <= 8 {
		b.at += b.padding * int(b.colours)
	}
	if err := b.setLayout(); err != nil {
		return err
	}
	if b.bits <= 8 {
		n, err := b.readPalette(data[at:])
		if err != nil {
			return err
		}
		at += n
	}
	if b.at == 0 {
		b.at = at
	}
	return nil
}

// bmpMasks are the colour masks that Pillow knows, all other are refused.
var bmpMasks = map[int][][4]uint32{
	32: {
		{0xff0000, 0xff00, 0xff, 0}, {0xff000000, 0xff0000, 0xff00, 0}, {0xff000000, 0xff00, 0xff, 0},
		{0xff000000, 0xff0000, 0xff00, 0xff}, {0xff, 0xff00, 0xff0000, 0xff000000}, {0xff0000, 0xff00, 0xff, 0xff000000},
		{0xff000000, 0xff00, 0xff, 0xff0000}, {0, 0, 0, 0},
	},
	24: {{0xff0000, 0xff00, 0xff}},
	16: {{0xf800, 0x7e0, 0x1f}, {0x7c00, 0x3e0, 0x1f}},
}

func (b *bmpFile) setLayout() error {
	switch b.bits {
	case 16:
		b.layout = bmp555
	case 24, 32:
		b.layout = bmpDirect
	}
	switch b.compression {
	case bmpRaw, bmpRLE8, bmpRLE4:
		b.masks = [4]uint32{}
		return nil
	case bmpFields:
	default:
		return fmt.Errorf("compression %d is not supported", b.compression)
	}
	masks := b.masks
	if b.bits != 32 {
		masks[3] = 0
	}
	for _, known := range bmpMasks[b.bits] {
		if known != masks {
			continue
		}
		if masks[0] == 0xf800 {
			b.layout = bmp565
		}
		return nil
	}
	return fmt.Errorf("colour masks %x for %d bits a pixel are not supported", b.masks, b.bits)
}

// offsets are where red, green and blue lie in a pixel of whole bytes.
func (b *bmpFile) offsets() (red, green, blue int) {
	if b.masks[0] == 0 || b.bits == 24 {
		return 2, 1, 0
	}
	at := func(mask uint32) int {
		for i := range 4 {
			if mask == 0xff<<(8*i) {
				return i
			}
		}
		return 0
	}
	return at(b.masks[0]), at(b.masks[1]), at(b.masks[2])
}

// readPalette also finds, as Pillow does, that a palette is a plain gray ramp or black and white; then the pixels are
// read as gray, or as single bits, whatever their width in the file.
func (b *bmpFile) readPalette(data []byte) (int, error) {
	if b.colours > 65536 {
		return 0, fmt.Errorf("palette of %d colours", b.colours)
	}
	n := int(b.colours)
	data = data[:min(len(data), n*b.padding)]
	gray := true
	for i := range n {
		want := uint8(i)
		if n == 2 {
			want = uint8(255 * i)
		}
		e := data[min(i*b.padding, len(data)):]
		gray = gray && len(e) >= 3 && e[0] == want && e[1] == want && e[2] == want
	}
	switch {
	case gray && n <= 2:
		b.layout = bmpBits
	case gray:
		b.layout = bmpGray
	case n > 256 && len(data)/b.padding > 256:
		return 0, fmt.Errorf("palette of %d colours", n)
	}
	for i := 0; i < 256 && (i+1)*b.padding <= len(data); i++ {
		e := data[i*b.padding:]
		b.palette[3*i], b.palette[3*i+1], b.palette[3*i+2] = e[2], e[1], e[0]
	}
	return len(data), nil
}

func bmpHeader(data []byte) (Header, error) {
	b, err := parseBMP(data)
	if err != nil {
		return Header{}, err
	}
	return Header{Width: b.width, Height: b.height, Orientation: 1}, nil
}

func decodeBMP(data []byte, lim Limits, buf []byte) (Image, error) {
	b, err := parseBMP(data)
	if err != nil {
		return Image{}, err
	}
	if err := checkSize(b.width, b.height, lim); err != nil {
		return Image{}, err
	}
	rle := b.compression == bmpRLE8 || b.compression == bmpRLE4
	if rle && b.bits > 8 {
		return Image{}, errors.New("run-length coding of other than palette pixels")
	}
	stride := (b.width*b.bits + 31) >> 3 &^ 3
	need := (b.width*b.rowBits() + 7) / 8
	if !rle && need > stride {
		return Image{}, errors.New("rows are shorter than their pixels")
	}
	if !rle && (b.at > len(data) || len(data)-b.at-need < (b.height-1)*stride) {
		return Image{}, errTruncated
	}
	var work int64
	if rle {
		work = int64(b.width) * int64(b.height)
	}
	img, err := newImage(b.width, b.height, work, lim, buf)
	if err != nil {
		return Image{}, err
	}
	if rle {
		return img, b.decodeRLE(img, data)
	}
	for i := range b.height {
		b.expand(b.row(img, i), data[b.at+i*stride:][:need])
	}
	return img, nil
}

// row is the picture's row that stands at place i in the file.
func (b *bmpFile) row(img Image, i int) []uint8 {
	if b.down {
		return img.row(i)
	}
	return img.row(b.height - 1 - i)
}

// rowBits are the bits of a pixel as it is read.
func (b *bmpFile) rowBits() int {
	switch b.layout {
	case bmpBits:
		return 1
	case bmpGray:
		return 8
	}
	return b.bits
}

// expand turns a row of the file into RGB.
func (b *bmpFile) expand(dst, src []uint8) {
	switch b.layout {
	case bmpIndex:
		expandIndices(dst, src, b.width, b.bits, &b.palette)
	case bmpBits:
		expandBits(dst, src, b.width, 1)
	case bmpGray:
		expandGray(dst, src)
	case bmpDirect:
		red, green, blue := b.offsets()
		step := b.bits / 8
		for i := range b.width {
			s, d := src[i*step:(i+1)*step], dst[3*i:3*i+3:3*i+3]
			d[0], d[1], d[2] = s[red], s[green], s[blue]
		}
	default:
		for i := range b.width {
			v := int(binary.LittleEndian.Uint16(src[2*i:]))
			d := dst[3*i : 3*i+3 : 3*i+3]
			if b.layout == bmp565 {
				d[0], d[1] = uint8((v>>11&31)*255/31), uint8((v>>5&63)*255/63)
			} else {
				d[0], d[1] = uint8((v>>10&31)*255/31), uint8((v>>5&31)*255/31)
			}
			d[2] = uint8((v & 31) * 255 / 31)
		}
	}
}
