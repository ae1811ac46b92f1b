package csrc

// deepBits are the fraction bits that a deep resize keeps between its passes: resample_deep.c is the twin.
const deepBits = 8

// passXDeep makes one row of 16-bit values: the high bytes, then the low ones.
func passXDeep(x *Axis, dst, src []uint8, step int) {
	const shift = RoundBits - deepBits
	high, low := dst[:x.Count()*3], dst[x.Count()*3:]
	for i, w := range x.windows {
		sum := [3]int32{1 << (shift - 1), 1 << (shift - 1), 1 << (shift - 1)}
		at := w.Lo * step
		for _, k := range w.Weights {
			pixel := src[at : at+3 : at+3]
			sum[0] += k * int32(pixel[0])
			sum[1] += k * int32(pixel[1])
			sum[2] += k * int32(pixel[2])
			at += step
		}
		for c, v := range sum {
			v = min(max(v>>shift, 0), 255<<deepBits)
			high[i*3+c], low[i*3+c] = uint8(v>>deepBits), uint8(v&0xff)
		}
	}
}

// passYDeep makes one row of output from a window's rows of passXDeep, stride bytes apart.
func passYDeep(w Window, rows []uint8, stride int, dst []uint8) {
	const shift = RoundBits + deepBits
	for c := range dst {
		high, low, at := int32(0), int32(0), c
		for _, k := range w.Weights {
			high += k * int32(rows[at])
			low += k * int32(rows[at+len(dst)])
			at += stride
		}
		sum := int64(high)<<deepBits + int64(low) + 1<<(shift-1)
		dst[c] = uint8(min(max(sum>>shift, 0), 255))
	}
}
