package preprocess

import (
	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
)

// layout is the geometry of a picture as its pixels are stored: x is the side along its rows. An orientation is folded
// into the axes: a mirrored side takes reversed windows, a picture on its side exchanges the axes and the order of the
// passes. That gives the bytes of turning first and resizing then, because every weight meets the same pixel.
type layout struct {
	x, y             side
	mirrorX, mirrorY bool
	order            csrc.Order
	transpose        bool // x is the upright picture's y
}

// layoutOf lays out the resize of a picture of w x h stored pixels.
func layoutOf(preset imgvec.Preset, w, h, orientation int) layout {
	w, h = upright(w, h, orientation)
	g := geometryOf(preset, w, h)
	mirrorX, mirrorY := mirrored(orientation)
	l := layout{x: g.x, y: g.y, mirrorX: mirrorX, mirrorY: mirrorY, order: csrc.Order{RowsFirst: g.rowsFirst}}
	if orientation >= 5 { // stored rows are the upright picture's columns
		l = layout{x: g.y, y: g.x, mirrorX: mirrorY, mirrorY: mirrorX, order: csrc.Order{RowsFirst: !g.rowsFirst}, transpose: true}
	}
	if preset.Domain == imgvec.DomainFloat { // so little is lost between the passes that their order does not matter
		l.order = csrc.Order{Deep: true}
	}
	return l
}

// plan makes the axes of a resize. offset is where in the model's picture the resize begins, behind any padding.
func (p *Preprocessor) plan(w, h, orientation int) (plan csrc.Plan, offset int) {
	l := layoutOf(p.preset, w, h, orientation)
	plan = csrc.Plan{Level: p.level, Stride: p.preset.InputSize.Width * 3, RowsFirst: l.order.RowsFirst, Deep: l.order.Deep, Transpose: l.transpose,
		FlipY: l.mirrorY, X: p.axis(l.x, l.mirrorX, false), Y: p.axis(l.y, l.mirrorY, true)}
	padX, padY := upright(l.x.pad, l.y.pad, orientation)
	return plan, padY*plan.Stride + padX*3
}

// mirrored tells which sides of the upright picture run against the stored ones.
func mirrored(orientation int) (x, y bool) {
	switch orientation {
	case 2:
		return true, false
	case 3, 7:
		return true, true
	case 4:
		return false, true
	case 6:
		return true, false
	case 8:
		return false, true
	}
	return false, false
}

// axis is the packed axis of a side. Where the source runs backwards the axis of the source's columns keeps its order of
// output (windows from right to left), that of its rows must go with the rows: see csrc.Plan.FlipY.
func (p *Preprocessor) axis(s side, reversed, rows bool) *csrc.Axis {
	return p.axes.get(axisKey{side: s, filter: p.preset.Interpolation, reversed: reversed, rows: rows && reversed})
}
