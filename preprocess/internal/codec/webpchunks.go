package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// webpFile is what the chunks of a WebP file say.
type webpFile struct {
	width, height int // of the canvas
	flags         uint8
	frames        []webpFrame
	exif, xmp     []byte
}

// WebP's feature flags.
const (
	webpAnimation = 0x02
	webpXMP       = 0x04
	webpEXIF      = 0x08
	webpFlags     = 0x3e
)

type webpFrame struct {
	x, y, width, height int
	image, alpha        span // with their chunk headers
}

// span is a part of the file.
type span struct{ at, size int }

func (s span) of(data []byte) []byte { return data[s.at : s.at+s.size] }

// fragment is what libwebp wants of a frame: the alpha chunk, if it has one, up to the end of the image chunk.
func (f webpFrame) fragment(data []byte) []byte {
	if f.alpha.size > 0 {
		return data[f.alpha.at : f.image.at+f.image.size]
	}
	return f.image.of(data)
}

var errWebPShort = fmt.Errorf("%w, or its chunks' sizes are wrong", errTruncated)

// parseWebP reads the chunks by the rules of libwebp's demuxer (demux.c), which refuses what is incomplete anywhere.
func parseWebP(data []byte) (*webpFile, error) {
	if len(data) < 20 {
		return nil, errWebPShort
	}
	size := int64(binary.LittleEndian.Uint32(data[4:]))
	if size < 12 || size > int64(len(data))-8 {
		return nil, errWebPShort
	}
	p := webpParser{data: data[:size+8], at: 12}
	var err error
	if hasPrefix(p.data[p.at:], "VP8X") {
		err = p.extended()
	} else {
		err = p.single()
		if err == nil {
			p.file.width, p.file.height = p.file.frames[0].width, p.file.frames[0].height
		}
	}
	if err != nil {
		return nil, err
	}
	return &p.file, p.check()
}

type webpParser struct {
	data []byte
	at   int
	file webpFile
}

func (p *webpParser) left() int { return len(p.data) - p.at }

// chunk reads a chunk's header and returns its name, its size and its size with padding.
func (p *webpParser) chunk() (kind string, size, padded int, err error) {
	if p.left() < 8 {
		return "", 0, 0, errWebPShort
	}
	h := p.data[p.at:]
	n := int64(binary.LittleEndian.Uint32(h[4:]))
	p.at += 8
	if n+n&1 > int64(p.left()) {
		return "", 0, 0, errWebPShort
	}
	return string(h[:4]), int(n), int(n + n&1), nil
}

// frame reads the chunks that make one picture: alpha and image. The first chunk of another kind, or a second of
// either, ends it.
func (p *webpParser) frame(f *webpFrame) error {
	for {
		start := p.at
		kind, size, padded, err := p.chunk()
		if err != nil {
			return err
		}
		switch {
		case kind == "ALPH" && f.alpha.size == 0:
			f.alpha = span{start, 8 + padded}
		case (kind == "VP8 " || kind == "VP8L") && f.image.size == 0:
			if kind == "VP8L" && f.alpha.size > 0 {
				return errors.New("lossless picture with a second alpha channel")
			}
			f.width, f.height, err = webpSize(kind, p.data[p.at:p.at+padded], size)
			if err != nil {
				return err
			}
			f.image = span{start, 8 + padded}
		default:
			p.at = start
			return nil
		}
		p.at += padded
		if p.left() == 0 {
			return nil
		}
	}
}

// webpSize reads a picture's size from its bit stream.
func webpSize(kind string, b []byte, size int) (w, h int, err error) {
	bad := fmt.Errorf("damaged header of the %q chunk", kind)
	if kind == "VP8L" {
		if len(b) < 5 || b[0] != 0x2f || b[4]>>5 != 0 {
			return 0, 0, bad
		}
		bits := binary.LittleEndian.Uint32(b[1:])
		return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1, nil
	}
	if len(b) < 10 || string(b[3:6]) != "\x9d\x01\x2a" {
		return 0, 0, bad
	}
	bits := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	w, h = int(binary.LittleEndian.Uint16(b[6:])&0x3fff), int(binary.LittleEndian.Uint16(b[8:])&0x3fff)
	keyFrame, profile, shown, part := bits&1 == 0, bits>>1&7, bits>>4&1 != 0, int(bits>>5)
	if !keyFrame || profile > 3 || !shown || part >= size || w == 0 || h == 0 {
		return 0, 0, bad
	}
	return w, h, nil
}

func (p *webpParser) single() error {
	if p.file.frames != nil {
		return errors.New("two pictures in a file that is no animation")
	}
	var f webpFrame
	if err := p.frame(&f); err != nil {
		return err
	}
	p.file.frames = []webpFrame{f}
	return nil
}

func (p *webpParser) extended() error {
	_, size, padded, err := p.chunk()
	if err != nil {
		return err
	}
	if size < 10 {
		return errors.New("VP8X chunk too short")
	}
	h := p.data[p.at:]
	p.file.flags = h[0]
	p.file.width, p.file.height = uint24(h[4:])+1, uint24(h[7:])+1
	p.at += padded
	animated := false
	for {
		start := p.at
		kind, size, padded, err := p.chunk()
		if err != nil {
			return err
		}
		switch kind {
		case "VP8X":
			return errors.New("two VP8X chunks")
		case "ALPH", "VP8 ", "VP8L":
			if animated || p.file.flags&webpAnimation != 0 {
				return errors.New("a picture outside the animation's frames")
			}
			p.at = start
			err = p.single()
		case "ANMF":
			if !animated {
				return errors.New("animation frame in front of the animation's header")
			}
			err = p.animationFrame(padded)
		default:
			if kind == "ANIM" {
				if padded < 6 {
					return errors.New("ANIM chunk too short")
				}
				animated = true
			}
			p.metadata(kind, p.data[p.at:p.at+size])
			p.at += padded
		}
		if err != nil {
			return err
		}
		if p.left() == 0 {
			return nil
		}
	}
}

func (p *webpParser) metadata(kind string, b []byte) {
	switch {
	case kind == "EXIF" && p.file.flags&webpEXIF != 0 && p.file.exif == nil:
		p.file.exif = b
	case kind == "XMP " && p.file.flags&webpXMP != 0 && p.file.xmp == nil:
		p.file.xmp = b
	}
}

func (p *webpParser) animationFrame(size int) error {
	if size < 16 {
		return errors.New("ANMF chunk too short")
	}
	h := p.data[p.at:]
	f := webpFrame{x: 2 * uint24(h), y: 2 * uint24(h[3:]), width: uint24(h[6:]) + 1, height: uint24(h[9:]) + 1}
	if int64(f.width)*int64(f.height) >= 1<<32 {
		return errors.New("animation frame too large")
	}
	p.at += 16
	start := p.at
	if err := p.frame(&f); err != nil {
		return err
	}
	if p.at-start > size-16 {
		return errors.New("animation frame larger than its chunk")
	}
	if p.file.flags&webpAnimation != 0 && f.image.size+f.alpha.size > 0 {
		if n := len(p.file.frames); n > 0 && p.file.frames[n-1].image.size == 0 {
			return errors.New("incomplete animation frame")
		}
		p.file.frames = append(p.file.frames, f)
	}
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// check looks at the whole, as the demuxer's IsValidExtendedFormat does.
func (p *webpParser) check() error {
	w := &p.file
	if len(w.frames) == 0 {
		return errors.New("no picture in the file")
	}
	if int64(w.width)*int64(w.height) >= 1<<32 || w.flags&^webpFlags != 0 {
		return errors.New("damaged header")
	}
	for _, f := range w.frames {
		switch {
		case f.image.size == 0:
			return errors.New("a frame without a picture")
		case f.alpha.size > 0 && f.alpha.at > f.image.at:
			return errors.New("alpha channel behind its picture")
		case w.flags&webpAnimation == 0 && (f.width != w.width || f.height != w.height):
			return fmt.Errorf("picture of %dx%d on a canvas of %dx%d", f.width, f.height, w.width, w.height)
		case f.x+f.width > w.width || f.y+f.height > w.height:
			return errors.New("a frame lies outside the canvas")
		}
	}
	return nil
}
