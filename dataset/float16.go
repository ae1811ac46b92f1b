package dataset

import "math"

// float16bits is the IEEE half nearest to v, ties to even, as NumPy's astype("float16") has it. (Arrow's float16.New
// cuts the low bits off and flushes small numbers to zero.)
func float16bits(v float32) uint16 {
	bits := math.Float32bits(v)
	sign := uint16(bits >> 16 & 0x8000)
	bits &= 0x7fffffff
	switch {
	case bits > 0x7f800000:
		return sign | 0x7e00 // not a number
	case bits >= 0x47800000:
		return sign | 0x7c00 // 65536 and more
	case bits >= 0x38800000:
		// Normal. Adding half of the last place kept, less one where that place is even, rounds ties to even; a carry
		// runs into the exponent as it should, up to infinity.
		bits += 0xfff + bits>>13&1
		return sign | uint16((bits-0x38000000)>>13)
	}
	// Below 2^-14: in steps of 2^-24. 0.5 has a last place of 2^-24, so the addition rounds for us.
	sum := math.Float32frombits(bits) + 0.5
	return sign | uint16(math.Float32bits(sum)-0x3f000000)
}

// float16value is the number that half a stands for.
func float16value(h uint16) float32 {
	sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10&31), uint32(h&0x3ff)
	switch exponent {
	case 0:
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
