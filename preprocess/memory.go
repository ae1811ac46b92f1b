package preprocess

import (
	"fmt"
	"math"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
)

// maxTables is the most that the tables of a resize and the rows that it keeps at once may take. A picture of a common
// shape takes less than a hundredth; a squash of one side of millions of pixels takes gigabytes for a file of a few KiB.
const maxTables = 128 << 20

// resizeMemory is what the resize of a picture takes besides its pixels: tables, rows, scratch. It builds nothing. The
// error wraps imgvec.ErrTooLarge. w and h are the stored picture's, positive.
func (p *Preprocessor) resizeMemory(w, h, orientation int) (int64, error) {
	l := layoutOf(p.preset, w, h, orientation)
	if l.x.out > math.MaxInt32 || l.y.out > math.MaxInt32 {
		upW, upH := upright(l.x.out, l.y.out, orientation)
		return 0, fmt.Errorf("%w: %d x %d pixels: resized before its crop it would have %d x %d (cut it to a common shape first)",
			imgvec.ErrTooLarge, w, h, upW, upH)
	}
	if l.x.out == 0 || l.y.out == 0 {
		return 0, fmt.Errorf("%w: %d x %d pixels: resized in its shape a side would vanish (cut it to a common shape first)", imgvec.ErrDecode, w, h)
	}
	x, y := l.x.shape(p.preset.Interpolation), l.y.shape(p.preset.Interpolation)
	tables := tableBytes(x, l.mirrorX) + tableBytes(y, l.mirrorY)
	if need := tables + csrc.RingBytes(l.order, x, y); need > maxTables {
		return 0, fmt.Errorf("%w: %d x %d pixels: to resize sides of such lengths takes %d MiB of tables, the limit is %d MiB (cut it to a common shape first)",
			imgvec.ErrTooLarge, w, h, need>>20, maxTables>>20)
	}
	return tables + csrc.ScratchBytes(p.level, l.order, x, y, w), nil
}

// tableBytes is what an axis takes while it is made: a mirrored one stands for a while beside its original.
func tableBytes(s csrc.Shape, mirrored bool) int64 {
	if mirrored {
		return 2 * s.Bytes()
	}
	return s.Bytes()
}

// shape bounds what windowsOf will make of the side.
func (s side) shape(filter imgvec.Interpolation) csrc.Shape {
	shape := csrc.Shape{Count: s.count, Taps: 1, Used: s.count}
	if s.in == s.out {
		return shape
	}
	scale := float64(s.in) / float64(s.out)
	if filter != imgvec.Nearest {
		shape.Taps = windowRoom(kernels[filter].support * max(scale, 1))
	}
	shape.Used = min(s.in, int(float64(s.count)*scale)+shape.Taps+2)
	return shape
}
