package codec

import (
	"errors"
	"strings"
)

// tiffPlanes gathers a picture whose samples lie in separate planes: four bytes a pixel, converted when all are there.
type tiffPlanes struct {
	t   *tiffFile
	img Image
	pix []uint8
}

// bands is how many planes the picture's mode has.
func (l tiffLayout) bands() int {
	switch l.mode {
	case "LA", "PA":
		return 2
	case "RGB", "YCbCr":
		return 3
	case "RGBA", "CMYK":
		return 4
	}
	return 1
}

func (t *tiffFile) planes(img Image) *tiffPlanes {
	return &tiffPlanes{t: t, img: img, pix: make([]uint8, 4*img.Width*img.Height)}
}

// put stores n samples of one plane at x, y.
func (p *tiffPlanes) put(plane, x, y, n int, src []uint8, size, high int) {
	at := 4*(y*p.img.Width+x) + plane
	for i := range n {
		p.pix[at+4*i] = src[i*size+high]
	}
}

// finish converts to RGB. associated: undo the multiplication with alpha.
func (p *tiffPlanes) finish(associated bool) {
	for y := range p.img.Height {
		dst, src := p.img.row(y), p.pix[4*y*p.img.Width:][:4*p.img.Width]
		switch p.t.layout.mode {
		case "CMYK":
			cmykToRGB(dst, src)
		case "LA", "PA":
			for i := range p.img.Width {
				if v := src[4*i]; p.t.layout.mode == "LA" {
					setGray(dst[3*i:], v)
				} else {
					copy(dst[3*i:3*i+3], p.t.palette[3*int(v):])
				}
			}
		default:
			packRGBX(dst, src)
			for i := range p.img.Width {
				if associated {
					divideAlpha(dst[3*i:3*i+3], src[4*i+3])
				}
			}
		}
	}
}

var errPlanes = errors.New("separate planes of this kind are not supported")

// rawPlane says which plane Pillow fills from an uncompressed one: it takes the letter of the raw mode, and knows no
// letters for some modes.
func (l tiffLayout) rawPlane(layer int) (int, error) {
	known := map[string]string{"RGB": "RGB", "RGBA": "RGBA", "CMYK": "CMYK"}[l.mode]
	if layer >= len(l.raw) || known == "" {
		return 0, errPlanes
	}
	plane := strings.IndexByte(known, l.raw[layer])
	if plane < 0 {
		return 0, errPlanes
	}
	return plane, nil
}
