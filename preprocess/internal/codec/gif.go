package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// gifFile is what a GIF file says in front of its first picture's data.
type gifFile struct {
	width, height int // enlarged where the first frame reaches out of the screen
	frame         box
	background    uint8 // what shows outside the frame: the transparent colour's index, else 0
	palette       [768]uint8
	interlaced    bool
	bits          int // of the smallest code
	at            int // of the picture data
}

var errGIFShort = fmt.Errorf("%w in front of the first picture", errTruncated)

// parseGIF reads up to the first picture's data by the rules of Pillow's GifImagePlugin.
func parseGIF(data []byte) (*gifFile, error) {
	if len(data) < 13 {
		return nil, errGIFShort
	}
	g := &gifFile{width: int(binary.LittleEndian.Uint16(data[6:])), height: int(binary.LittleEndian.Uint16(data[8:]))}
	r := gifReader{data: data, at: 13}
	global, needed, err := r.palette(data[10])
	if err != nil {
		return nil, err
	}
	if err := g.blocks(&r); err != nil {
		return nil, err
	}
	flags := data[r.at-1]
	local, localNeeded, err := r.palette(flags)
	if err != nil {
		return nil, err
	}
	// A palette of which every entry is gray and equal to its index counts as none; then the global one shows.
	switch {
	case localNeeded:
		g.palette = local
	case needed:
		g.palette = global
	default:
		for i := range g.palette {
			g.palette[i] = uint8(i / 3)
		}
	}
	g.interlaced = flags&64 != 0
	if r.at >= len(data) {
		return nil, errGIFShort
	}
	g.bits, g.at = int(data[r.at]), r.at+1
	return g, nil
}

// blocks walks the extensions up to and with the first picture's descriptor.
func (g *gifFile) blocks(r *gifReader) error {
	for {
		kind, ok := r.byte()
		switch {
		case !ok || kind == ';':
			return errors.New("no picture in the file")
		case kind == '!':
			if err := g.extension(r); err != nil {
				return err
			}
		case kind == ',':
			if len(r.data)-r.at < 9 {
				return errGIFShort
			}
			s := r.data[r.at:]
			x, y := int(binary.LittleEndian.Uint16(s)), int(binary.LittleEndian.Uint16(s[2:]))
			g.frame = box{x, y, x + int(binary.LittleEndian.Uint16(s[4:])), y + int(binary.LittleEndian.Uint16(s[6:]))}
			g.width, g.height = max(g.width, g.frame.x1), max(g.height, g.frame.y1)
			r.at += 9
			return nil
		}
	}
}

func (g *gifFile) extension(r *gifReader) error {
	kind, ok := r.byte()
	if !ok {
		return errGIFShort
	}
	block, ok := r.block()
	switch {
	case kind == 0xf9 && ok:
		if len(block) < 3 || block[0]&1 != 0 && len(block) < 4 {
			return errors.New("graphic control extension too short")
		}
		if block[0]&1 != 0 {
			g.background = block[3]
		}
	case kind == 0xfe && len(block) == 0:
		return nil
	}
	for {
		if block, _ = r.block(); len(block) == 0 {
			return nil
		}
	}
}

// gifReader reads blocks; beyond the end it reads nothing.
type gifReader struct {
	data []byte
	at   int
}

func (r *gifReader) byte() (byte, bool) {
	if r.at >= len(r.data) {
		return 0, false
	}
	r.at++
	return r.data[r.at-1], true
}

// block reads one data block; ok is false for the empty one that ends a list.
func (r *gifReader) block() (block []byte, ok bool) {
	n, ok := r.byte()
	if !ok || n == 0 {
		return nil, false
	}
	end := min(r.at+int(n), len(r.data))
	block = r.data[r.at:end]
	r.at = end
	return block, true
}

// palette reads the palette that flags announce. needed is false without one, and for one that is the gray ramp.
func (r *gifReader) palette(flags byte) (p [768]uint8, needed bool, err error) {
	if flags&128 == 0 {
		return p, false, nil
	}
	n := 3 << (flags&7 + 1)
	if len(r.data)-r.at < n {
		return p, false, errGIFShort
	}
	copy(p[:], r.data[r.at:r.at+n])
	r.at += n
	for i, v := range p[:n] {
		needed = needed || int(v) != i/3
	}
	return p, needed, nil
}

func gifHeader(data []byte) (Header, error) {
	g, err := parseGIF(data)
	if err != nil {
		return Header{}, err
	}
	if g.width == 0 || g.height == 0 {
		return Header{}, fmt.Errorf("size %d x %d", g.width, g.height)
	}
	return Header{Width: g.width, Height: g.height, Orientation: 1}, nil
}

// decodeGIF decodes the first frame. Transparent pixels show their palette colour, as the conversion to RGB in Pillow.
func decodeGIF(data []byte, lim Limits, buf []byte) (Image, error) {
	g, err := parseGIF(data)
	if err != nil {
		return Image{}, err
	}
	if g.frame.x1 <= g.frame.x0 || g.frame.y1 <= g.frame.y0 {
		return Image{}, errors.New("the first frame is empty")
	}
	img, err := newImage(g.width, g.height, lzwWork, lim, buf)
	if err != nil {
		return Image{}, err
	}
	g.fill(img)
	return img, g.decode(data, img)
}

// fill paints the background where the frame does not cover the picture.
func (g *gifFile) fill(img Image) {
	if g.frame.x1-g.frame.x0 == img.Width && g.frame.y1-g.frame.y0 == img.Height {
		return
	}
	first := img.row(0)
	expandIndices(first, make([]uint8, img.Width), img.Width, 8, g.shifted())
	for y := 1; y < img.Height; y++ {
		copy(img.row(y), first)
	}
}

// shifted is a palette whose entry 0 is the background.
func (g *gifFile) shifted() *[768]uint8 {
	var p [768]uint8
	copy(p[:3], g.palette[3*int(g.background):])
	return &p
}
