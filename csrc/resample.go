package csrc

import "fmt"

// Plan says how two axes make a picture.
type Plan struct {
	Level     Level
	RowsFirst bool // the y axis is applied first; each axis rounds to 8 bit, so the order shows
	Transpose bool // output pixel (i of Y, j of X) is stored in row j, column i
	FlipY     bool // output i of Y is stored at Y.Count()-1-i; Y goes over source rows in rising order
	Deep      bool // rounded to 8 bit once, after the y axis; not with RowsFirst, and not on a device
	X, Y      *Axis
	Stride    int // of the destination, in bytes
}

// Pixels are a picture's source pixels: Step (3 or 4) bytes each, of which the first three are RGB, rows Stride bytes
// apart.
type Pixels struct {
	Pix           []uint8
	Stride, Step  int
	Width, Height int
}

// check panics where the loops would leave dst or the source.
func (p Plan) check(dst []uint8, width, height int) {
	if p.Deep && p.RowsFirst {
		panic("imgvec: BUG: a deep resize begins with the x axis")
	}
	rows, columns := p.Y.Count(), p.X.Count()
	if p.Transpose {
		rows, columns = columns, rows
	}
	if p.X.last > width || p.Y.last > height || p.Stride < columns*3 || len(dst) < (rows-1)*p.Stride+columns*3 {
		panic(fmt.Sprintf("imgvec: BUG: resample %dx%d by axes up to %d and %d into %d bytes of stride %d",
			width, height, p.X.last, p.Y.last, len(dst), p.Stride))
	}
}

func (s Pixels) check() {
	if (s.Step != 3 && s.Step != 4) || s.Stride < s.Width*s.Step || len(s.Pix) < (s.Height-1)*s.Stride+s.Width*s.Step {
		panic(fmt.Sprintf("imgvec: BUG: %d bytes hold no %dx%d picture of step %d, stride %d", len(s.Pix), s.Width, s.Height, s.Step, s.Stride))
	}
}

// resampleGo is the plain-Go twin of engine.c. It returns its scratch, for the next call.
func resampleGo(p Plan, src Pixels, dst, scratch []uint8) []uint8 {
	x, y := p.X, p.Y
	used, rows := (x.last-x.first)*3, y.last-y.first
	width := x.Count() * 3
	if p.RowsFirst {
		width = used
	}
	if p.Deep {
		width *= 2
	}
	// One row for each source row (as results of the x pass, or as RGB), one for the y pass, one for the output.
	need := rows*width + max(width, used) + x.Count()*3
	if cap(scratch) < need {
		scratch = make([]uint8, need)
	}
	scratch = scratch[:need]
	mid := scratch[:rows*width]
	line := scratch[rows*width:][:max(width, used)]
	out := scratch[need-x.Count()*3:]
	for r := range rows {
		row, to := src.Pix[(y.first+r)*src.Stride:], mid[r*width:][:width]
		switch {
		case p.RowsFirst:
			copyRGB(to, row[x.first*src.Step:], src.Step)
		case p.Deep:
			passXDeep(x, to, row, src.Step)
		default:
			passX(x, to, row, 0, src.Step)
		}
	}
	for i, w := range y.windows {
		rows := mid[(w.Lo-y.first)*width:]
		switch {
		case p.RowsFirst:
			passY(w, rows, width, line[:width])
			passX(x, out, line, x.first, 3)
		case p.Deep:
			passYDeep(w, rows, width, out)
		default:
			passY(w, rows, width, out)
		}
		if p.FlipY {
			i = y.Count() - 1 - i
		}
		p.store(dst, out, i)
	}
	return scratch
}

func (p Plan) store(dst, out []uint8, i int) {
	if !p.Transpose {
		copy(dst[i*p.Stride:], out)
		return
	}
	for j := range p.X.Count() {
		copy(dst[j*p.Stride+i*3:], out[j*3:j*3+3])
	}
}

func copyRGB(dst, src []uint8, step int) {
	if step == 3 {
		copy(dst, src)
		return
	}
	for i, j := 0, 0; i+2 < len(dst); i, j = i+3, j+step {
		copy(dst[i:i+3], src[j:j+3])
	}
}

// passX makes one row of output from a row whose first pixel has number base.
func passX(x *Axis, dst, src []uint8, base, step int) {
	for i, w := range x.windows {
		r, g, b := int32(half), int32(half), int32(half)
		at := (w.Lo - base) * step
		for _, k := range w.Weights {
			pixel := src[at : at+3 : at+3]
			r += k * int32(pixel[0])
			g += k * int32(pixel[1])
			b += k * int32(pixel[2])
			at += step
		}
		dst[i*3], dst[i*3+1], dst[i*3+2] = clamp8(r), clamp8(g), clamp8(b)
	}
}

// passY makes one row of output from a window's rows, stride bytes apart.
func passY(w Window, rows []uint8, stride int, dst []uint8) {
	for c := range dst {
		sum, at := int32(half), c
		for _, k := range w.Weights {
			sum += k * int32(rows[at])
			at += stride
		}
		dst[c] = clamp8(sum)
	}
}

const half = 1 << (RoundBits - 1)

func clamp8(sum int32) uint8 { return uint8(min(max(sum>>RoundBits, 0), 255)) }
