package float16

import "math"

// From is the bits of the half nearest to f, ties to even, as NumPy's astype("float16") has it: from 65520 on it is
// infinity, and every NaN becomes the quiet NaN 0x7e00 with f's sign.
func From(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits >> 16 & 0x8000)
	bits &= 0x7fffffff
	switch {
	case bits > 0x7f800000: // NaN
		return sign | 0x7e00
	case bits >= 0x47800000: // 65536 and more
		return sign | 0x7c00
	case bits < 0x38800000:
		// Below 2^-14: in steps of 2^-24. 0.5 has a last place of 2^-24, so the addition rounds for us.
		sum := math.Float32frombits(bits) + 0.5
		return sign | uint16(math.Float32bits(sum)-0x3f000000)
	}
	// Adding half of the last place kept, less one where that place is even, rounds ties to even; a carry runs into the
	// exponent as it should, up to infinity.
	bits += 0xfff + bits>>13&1
	return sign | uint16((bits-0x38000000)>>13)
}

// To is the number whose half-precision bits are h. It is exact; a NaN keeps its sign and payload.
func To(h uint16) float32 {
	sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10&31), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero and subnormals: fraction * 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
	case 31: // infinity and NaN
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
