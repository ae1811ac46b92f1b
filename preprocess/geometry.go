package preprocess

import (
	"math"

	"github.com/imgvec/imgvec"
)

// side is what happens along one side of a picture: it is resized from in to out pixels, and the model's side is filled
// from resized pixel first on; where the resized side is shorter, pad pixels come before it.
type side struct {
	in, out, first, count, pad int
}

// geometry is a picture's way to the model's shape.
type geometry struct {
	x, y side
	// rowsFirst: the vertical pass comes first. Each pass rounds to 8 bit, so the order shows.
	rowsFirst bool
}

// geometryOf says what becomes of a picture of w x h pixels, orientation applied. w and h are positive.
func geometryOf(p imgvec.Preset, w, h int) geometry {
	size := p.InputSize
	outW, outH := resized(p, w, h)
	return geometry{
		x:         center(w, outW, size.Width, p.CropRound),
		y:         center(h, outH, size.Height, p.CropRound),
		rowsFirst: rowsFirst(w, h, outW, outH),
	}
}

// resized is the size that a picture is resized to before its centre is cut out. A side of 0 is possible where a very
// thin picture keeps its shape.
func resized(p imgvec.Preset, w, h int) (outW, outH int) {
	switch p.CropMode {
	case imgvec.CropSquash:
		return p.Box().Width, p.Box().Height
	case imgvec.CropBorder:
		return scaled(w, h, max(ratios(p.Box(), w, h)))
	case imgvec.CropOnly:
		return w, h
	}
	if p.ResizeSize == 0 {
		return scaled(w, h, min(ratios(p.Box(), w, h)))
	}
	return shortSide(p.ResizeSize, w, h)
}

// ratios are how many times the picture's sides are the box's.
func ratios(box imgvec.Size, w, h int) (x, y float64) {
	return float64(w) / float64(box.Width), float64(h) / float64(box.Height)
}

// scaled divides the sides as timm's ResizeKeepRatio does: in float64, Python's round.
func scaled(w, h int, ratio float64) (outW, outH int) {
	return int(math.RoundToEven(float64(w) / ratio)), int(math.RoundToEven(float64(h) / ratio))
}

// shortSide is torchvision's Resize(size): the short side becomes size, the long one is truncated.
func shortSide(size, w, h int) (outW, outH int) {
	if w <= h {
		return size, int(int64(size) * int64(h) / int64(w))
	}
	return int(int64(size) * int64(w) / int64(h)), size
}

// center cuts want pixels out of the middle of out. Where out is shorter it is padded: torchvision puts the odd pixel
// behind, Hugging Face in front.
func center(in, out, want int, round imgvec.CropRound) side {
	if out < want {
		pad := (want - out) / 2
		if round == imgvec.CropFloor {
			pad = (want - out + 1) / 2
		}
		return side{in: in, out: out, count: out, pad: pad}
	}
	first := (out - want) / 2
	if round == imgvec.CropHalfEven && (out-want)%2 == 1 {
		first += first % 2 // Python's round takes .5 to the even neighbour
	}
	return side{in: in, out: out, first: first, count: want}
}

// rowsFirst is Pillow 13's order of passes (ImagingResample): vertically first where that leaves much less to do
// horizontally, that is where the height shrinks by more than twice the pixels that the width does.
func rowsFirst(w, h, outW, outH int) bool {
	return w != outW && h > outH && int64(h-outH) > 2*int64(w-outW)
}

// upright is the size of a picture of w x h stored pixels once its orientation is applied.
func upright(w, h, orientation int) (int, int) {
	if orientation >= 5 {
		return h, w
	}
	return w, h
}
