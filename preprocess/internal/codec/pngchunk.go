package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// chunk takes one chunk other than the picture data. The errors are those of Pillow's handlers.
func (p *pngFile) chunk(c pngChunk) error {
	least := map[string]int{"IHDR": 13, "gAMA": 4, "cHRM": 32, "sRGB": 1, "pHYs": 9, "acTL": 8, "fcTL": 26}[c.kind]
	if c.size < least {
		return fmt.Errorf("truncated %s chunk", c.kind)
	}
	switch c.kind {
	case "IHDR":
		return p.header(c.data)
	case "PLTE":
		return p.setPalette(c.data)
	case "tRNS":
		return p.transparency(c.data)
	case "acTL":
		p.animation(c.data)
	case "fcTL":
		return p.frameControl(c.data)
	case "iCCP":
		return p.text.profile(c.data)
	case "tEXt":
		return p.text.plain(c.data)
	case "zTXt":
		return p.text.compressed(c.data)
	case "iTXt":
		return p.text.international(c.data)
	case "eXIf":
		p.text.exif = append([]byte("Exif\x00\x00"), c.data...)
	}
	return nil
}

func (p *pngFile) header(s []byte) error {
	p.width, p.height = int(binary.BigEndian.Uint32(s)), int(binary.BigEndian.Uint32(s[4:]))
	depth, colour := int(s[8]), int(s[9])
	if pngDepthOK(depth, colour) {
		p.depth, p.colour, p.known = depth, colour, true
	} else if !p.known {
		p.depth, p.colour = depth, colour
	}
	if s[12] != 0 {
		p.interlaced = true
	}
	if s[11] != 0 {
		return fmt.Errorf("unknown filter category %d", s[11])
	}
	return nil
}

// pngDepthOK says whether PNG has this pair. Other than libpng, Pillow has no 16-bit palette and no odd depths either.
func pngDepthOK(depth, colour int) bool {
	switch colour {
	case pngGray:
		return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16
	case pngPalette:
		return depth == 1 || depth == 2 || depth == 4 || depth == 8
	case pngRGB, pngGrayAlpha, 6:
		return depth == 8 || depth == 16
	}
	return false
}

func (p *pngFile) setPalette(s []byte) error {
	if p.colour != pngPalette || !p.known {
		return nil
	}
	if len(s) > 768 {
		return fmt.Errorf("invalid palette of %d bytes", len(s))
	}
	p.palette = [768]uint8{}
	copy(p.palette[:], s[:len(s)/3*3])
	return nil
}

// transparency is dropped by the conversion to RGB; a chunk that is too short makes Pillow refuse the file.
func (p *pngFile) transparency(s []byte) error {
	least := 0
	switch p.colour {
	case pngGray:
		least = 2
	case pngRGB:
		least = 6
	}
	if p.known && len(s) < least {
		return errors.New("truncated tRNS chunk")
	}
	return nil
}

func (p *pngFile) animation(s []byte) {
	if p.animated {
		p.animated = false
		return
	}
	p.frames = binary.BigEndian.Uint32(s)
	p.animated = p.frames != 0 && p.frames <= 0x80000000
}

func (p *pngFile) frameControl(s []byte) error {
	seq := int64(binary.BigEndian.Uint32(s))
	if seq != p.sequence+1 {
		return errors.New("animation frames out of sequence")
	}
	p.sequence = seq
	w, h := int(binary.BigEndian.Uint32(s[4:])), int(binary.BigEndian.Uint32(s[8:]))
	x, y := int(binary.BigEndian.Uint32(s[12:])), int(binary.BigEndian.Uint32(s[16:]))
	if x+w > p.width || y+h > p.height {
		return errors.New("an animation frame lies outside the picture")
	}
	p.frame = &box{x, y, x + w, y + h}
	return nil
}
