package scene

import (
	"image"
	"image/color"
)

// rgb is a colour of 0..65535 a channel; shading may leave the range until it is clamped.
type rgb [3]int64

func (c rgb) scale(by int64) rgb { return rgb{c[0] * by >> 16, c[1] * by >> 16, c[2] * by >> 16} }

func blend(a, b rgb, t int64) rgb {
	return rgb{mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)}
}

func (c rgb) pixel() color.NRGBA {
	clamp := func(v int64) uint8 { return uint8(min(max(v, 0), 65535) >> 8) }
	return color.NRGBA{clamp(c[0]), clamp(c[1]), clamp(c[2]), 255}
}

// dice draws the numbers that a picture is made of.
type dice struct {
	seed uint32
	n    int32
}

func (d *dice) next() int64 {
	d.n++
	return hash(d.seed, d.n, 7)
}

// between draws from low to high, both included.
func (d *dice) between(low, high int64) int64 { return low + d.next()*(high-low+1)>>16 }

func (d *dice) colour(low, high int64) rgb {
	return rgb{d.between(low, high), d.between(low, high), d.between(low, high)}
}

// kinds of pictures; each is given the picture's dice and size and returns the colour at a point.
var kinds = []func(d *dice, w, h int32) func(x, y int32) rgb{landscape, objects, weave, cells, facade, foliage, water, portrait}

// Kinds is the number of kinds of pictures; pictures number n and n+Kinds are of the same kind.
var Kinds = len(kinds)

// Draw draws picture number n.
func Draw(n, width, height int) *image.NRGBA {
	d := &dice{seed: uint32(n)*0x9e3779b9 + 1}
	at := kinds[n%len(kinds)](d, int32(width), int32(height))
	grain := field{seed: d.seed ^ 0x5bd1e995, octaves: 2, shift: 2}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range int32(height) {
		for x := range int32(width) {
			c := at(x, y)
			noise := (grain.at(x, y) - 32768) / 24 // a sensor's
			light := vignette(x, y, int32(width), int32(height))
			c = c.scale(light)
			img.SetNRGBA(int(x), int(y), rgb{c[0] + noise, c[1] + noise, c[2] + noise}.pixel())
		}
	}
	return img
}

// vignette is the lens's: 65536 at the centre, a fifth less in the corners.
func vignette(x, y, w, h int32) int64 {
	dx, dy := int64(2*x-w), int64(2*y-h)
	far := int64(w)*int64(w) + int64(h)*int64(h)
	return 65536 - (dx*dx+dy*dy)*13000/far
}
