package preprocess

import (
	"github.com/imgvec/imgvec/csrc"
)

// plan lays out the resize of a picture of w x h stored pixels. An orientation is folded into the axes: a mirrored side
// takes reversed windows, a picture on its side exchanges the axes and the order of the passes. That gives the bytes of
// turning first and resizing then, because every weight meets the same pixel. offset is where in the model's picture
// the resize begins, behind any padding.
func (p *Preprocessor) plan(w, h, orientation int) (plan csrc.Plan, offset int) {
	w, h = upright(w, h, orientation)
	g := geometryOf(p.preset, w, h)
	mirrorX, mirrorY := mirrored(orientation)
	plan = csrc.Plan{Level: p.level, Stride: p.preset.InputSize.Width * 3, RowsFirst: g.rowsFirst}
	if orientation < 5 {
		plan.X = p.axis(g.x, mirrorX, false)
		plan.Y = p.axis(g.y, mirrorY, true)
		plan.FlipY = mirrorY
	} else { // stored rows are the upright picture's columns
		plan.X = p.axis(g.y, mirrorY, false)
		plan.Y = p.axis(g.x, mirrorX, true)
		plan.FlipY = mirrorX
		plan.Transpose = true
		plan.RowsFirst = !g.rowsFirst
	}
	return plan, g.y.pad*plan.Stride + g.x.pad*3
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
