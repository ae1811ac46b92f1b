package csrc

import "github.com/imgvec/imgvec"

// Launch is one launch of a CUDA kernel; Grid turns Work into a geometry.
type Launch struct {
	Kernel string
	Work   int64
	Args   []uint64
}

// DevicePixels are a picture's source pixels in a device's memory: see Pixels. Rows that begin at a multiple of 16 bytes
// are fast.
type DevicePixels struct {
	Addr         uint64
	Stride, Step int
}

// DeviceInput is the part of a model's input in a device's memory that a picture goes to.
type DeviceInput struct {
	Addr          uint64 // of the picture's first element
	Table         uint64 // of the look-up table: see NormalizeKernel
	Layout        imgvec.Layout
	DType         imgvec.DType // Float32 or Float16
	Height, Width int
	At            int // pixel where the resize begins, behind any padding, which it leaves as it is
	Channels      int
	BGR           bool
}

// PassBytes is the memory that Passes needs between the two passes.
func (p Plan) PassBytes(step int) int64 {
	stride, rows := p.between(step)
	return stride * rows
}

// between is the shape of what lies between the passes.
func (p Plan) between(step int) (stride, rows int64) {
	if p.RowsFirst {
		return vectors((p.X.last - p.firstColumn()) * step), int64(p.Y.Count())
	}
	return vectors(p.X.Count() * 3), int64(p.Y.last - p.Y.first)
}

// firstColumn is the first source pixel of a row that a vertical first pass works on, so that it begins with a whole vector.
func (p Plan) firstColumn() int { return p.X.first &^ (vectorBytes - 1) }

func vectors(bytes int) int64 { return (int64(bytes) + vectorBytes - 1) &^ (vectorBytes - 1) }

// Passes are the two launches that resize src by the plan into a model's input, normalised: Worker.Resample and
// Normalize on a device, to the bit. x and y are the addresses of the axes' Words, between that of PassBytes bytes. The
// plan's Level and Stride have no meaning here.
func (p Plan) Passes(src DevicePixels, x, y, between uint64, dst DeviceInput) [2]Launch {
	if p.Deep {
		panic("imgvec: BUG: the kernels round each pass to 8 bit")
	}
	stride, rows := p.between(src.Step)
	if p.RowsFirst {
		first, columns := p.firstColumn(), p.X.last-p.firstColumn()
		return [2]Launch{
			{"resample_v_u8nhwc_to_u8nhwc", stride * rows,
				words(between, src.Addr+offset(first*src.Step), y, uint64(stride), offset(src.Stride), offset(src.Step), 0, offset(columns))},
			p.last("h", x, between, stride, src.Step, first, p.Y.Count(), dst),
		}
	}
	return [2]Launch{
		{"resample_h_u8nhwc_to_u8nhwc", tiled(p.X.Count(), int(rows)),
			words(between, src.Addr+offset(p.Y.first*src.Stride), x, uint64(stride), offset(src.Stride), offset(src.Step), 0, uint64(rows))},
		p.last("v", y, between, stride, 3, p.Y.first, p.X.Count(), dst),
	}
}

// last is the launch of the second pass.
func (p Plan) last(way string, axis, src uint64, stride int64, step, base, lines int, dst DeviceInput) Launch {
	work, at, flags := tiled(p.X.Count(), p.Y.Count()), dst.At*elementBytes(inputName(dst.Layout, dst.DType)), uint64(0)
	if dst.Layout == imgvec.NHWC {
		at *= dst.Channels
	}
	for i, set := range []bool{dst.BGR, p.Transpose, p.FlipY} { // IMGVEC_BGR, IMGVEC_TRANSPOSE, IMGVEC_FLIP
		if set {
			flags |= 1 << i
		}
	}
	return Launch{"resample_" + way + "_u8nhwc_to_" + inputName(dst.Layout, dst.DType), work,
		words(dst.Addr+offset(at), src, axis, dst.Table, uint64(stride), offset(step), offset(base), offset(lines),
			offset(dst.Width), offset(dst.Height*dst.Width), offset(dst.Channels), flags)}
}

// tiled is the work of an h pass, whole tiles.
func tiled(columns, rows int) int64 {
	return int64((columns+tileColumns-1)/tileColumns) * int64((rows+tileRows-1)/tileRows) * tileColumns * tileRows
}

func words(w ...uint64) []uint64 { return w }

func offset(n int) uint64 { return uint64(n) }
