package codec

// The colour conversions of Pillow's Convert.c and of libjpeg, on rows.

// yccTables are libjpeg's (jdcolor.c build_ycc_rgb_table): 16 fraction bits, rounded.
var yccTables = func() (t struct{ crR, cbB, crG, cbG [256]int32 }) {
	const half = 1 << 15
	for i := range 256 {
		x := int32(i) - 128
		t.crR[i] = (91881*x + half) >> 16
		t.cbB[i] = (116130*x + half) >> 16
		t.crG[i] = -46802 * x
		t.cbG[i] = -22554*x + half
	}
	return t
}()

func clip8(v int32) uint8 {
	return uint8(min(max(v, 0), 255))
}

// yccRow converts a row of three planes, at least len(dst)/3 samples each, as libjpeg does.
func yccRow(dst, y, cb, cr []uint8) {
	n := len(dst) / 3
	y, cb, cr = y[:n], cb[:n], cr[:n]
	for i, v := range y {
		l, b, r := int32(v), cb[i], cr[i]
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0] = clip8(l + yccTables.crR[r])
		d[1] = clip8(l + (yccTables.cbG[b]+yccTables.crG[r])>>16)
		d[2] = clip8(l + yccTables.cbB[b])
	}
}

// ycckToCMYK turns inverted Y, Cb, Cr, K into inverted C, M, Y, K (which is R, G, B, 255-K), in place.
func ycckToCMYK(row []uint8) {
	for i := 0; i+4 <= len(row); i += 4 {
		p := row[i : i+3 : i+3]
		yccRow(p, []uint8{^p[0]}, []uint8{^p[1]}, []uint8{^p[2]})
	}
}

// cmykToRGB is Pillow's cmyk2rgb, which has ink at 255.
func cmykToRGB(dst, src []uint8) {
	for i, j := 0, 0; i+3 <= len(dst); i, j = i+3, j+4 {
		nk := 255 - int32(src[j+3])
		dst[i] = clip8(nk - mulDiv255(int32(src[j]), nk))
		dst[i+1] = clip8(nk - mulDiv255(int32(src[j+1]), nk))
		dst[i+2] = clip8(nk - mulDiv255(int32(src[j+2]), nk))
	}
}

// mulDiv255 is a*b/255, rounded, as ImagingUtils.h has it.
func mulDiv255(a, b int32) int32 {
	t := a*b + 128
	return (t>>8 + t) >> 8
}

// expandGray repeats each sample of src.
func expandGray(dst, src []uint8) {
	src = src[:len(dst)/3]
	for i, v := range src {
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0], d[1], d[2] = v, v, v
	}
}

// packRGBX drops the fourth byte of each pixel.
func packRGBX(dst, src []uint8) {
	for i, j := 0, 0; i+3 <= len(dst); i, j = i+3, j+4 {
		copy(dst[i:i+3], src[j:j+3])
	}
}
