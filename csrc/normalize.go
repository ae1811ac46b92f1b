package csrc

import (
	"fmt"
	"math"

	"github.com/imgvec/imgvec"
)

// Normalize turns n pictures of h by w pixels, uint8 [n,h,w,3] RGB, into a model's float32 input: each byte is looked up
// in table (channel R, G, B; see imgvec.Preset.Table), and stored in the given layout and channel order. dst and src
// hold exactly n*h*w*3 elements. Safe for concurrent use on different dst.
func Normalize(dst []float32, src []uint8, n, h, w int, table *[3][256]float32, layout imgvec.Layout, order imgvec.ChannelOrder) {
	checkNormalize(len(dst), len(src), n, h, w, layout, order)
	if len(src) > 0 {
		normalize32(dst, src, n, h*w, table, layout == imgvec.NCHW, order == imgvec.BGR)
	}
}

// NormalizeF16 is Normalize for a float16 input: dst holds IEEE 754 half-precision bits, rounded to nearest even.
func NormalizeF16(dst []uint16, src []uint8, n, h, w int, table *[3][256]float32, layout imgvec.Layout, order imgvec.ChannelOrder) {
	checkNormalize(len(dst), len(src), n, h, w, layout, order)
	if len(src) == 0 {
		return
	}
	var half [3][256]uint16
	for c := range table {
		for v, f := range table[c] {
			half[c][v] = Float16(f)
		}
	}
	normalize16(dst, src, n, h*w, &half, layout == imgvec.NCHW, order == imgvec.BGR)
}

func checkNormalize(dst, src, n, h, w int, layout imgvec.Layout, order imgvec.ChannelOrder) {
	if n < 0 || h < 0 || w < 0 || src != n*h*w*3 || dst != src {
		panic(fmt.Sprintf("imgvec: BUG: normalize %d bytes into %d elements as [%d,%d,%d,3]", src, dst, n, h, w))
	}
	if (layout != imgvec.NCHW && layout != imgvec.NHWC) || (order != imgvec.RGB && order != imgvec.BGR) {
		panic(fmt.Sprintf("imgvec: BUG: normalize to layout %q, order %q", layout, order))
	}
}

// Float16 is f as the bits of an IEEE 754 half-precision number, rounded to nearest even.
func Float16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN stays one
		return sign | 0x7e00
	case b >= 0x477ff000: // 65520 and more round to infinity
		return sign | 0x7c00
	case b < 0x38800000: // below 2^-14: subnormal; adding 0.5 lets the FPU round at the right bit
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3f000000)
	}
	b += 0xfff + b>>13&1 - (127-15)<<23
	return sign | uint16(b>>13)
}

// normalizeGo is the plain-Go twin of the C loops of normalize.c.
func normalizeGo[T float32 | uint16](dst []T, src []uint8, n, pixels int, table *[3][256]T, planar, bgr bool) {
	r, g, b := 0, 1, 2 // where each colour goes
	if bgr {
		r, b = 2, 0
	}
	for i := range n {
		in, out := src[i*pixels*3:(i+1)*pixels*3], dst[i*pixels*3:(i+1)*pixels*3]
		if !planar {
			for p := 0; p+2 < len(in); p += 3 {
				out[p+r], out[p+g], out[p+b] = table[0][in[p]], table[1][in[p+1]], table[2][in[p+2]]
			}
			continue
		}
		red, green, blue := out[r*pixels:][:pixels], out[g*pixels:][:pixels], out[b*pixels:][:pixels]
		for p := range red {
			red[p], green[p], blue[p] = table[0][in[p*3]], table[1][in[p*3+1]], table[2][in[p*3+2]]
		}
	}
}
