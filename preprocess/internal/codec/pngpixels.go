package codec

// expand turns a row of width packed pixels into RGB; alpha is dropped, the palette looked up.
func (p *pngFile) expand(dst, src []uint8, width int) {
	switch {
	case p.colour == pngPalette:
		expandIndices(dst, src, width, p.depth, &p.palette)
	case p.depth < 8:
		expandBits(dst, src, width, p.depth)
	case p.colour == pngGray && p.depth == 16:
		for i := range width {
			setGray(dst[3*i:], gray16(src[2*i], src[2*i+1], p.gray16Scale))
		}
	case p.colour == pngGray:
		expandGray(dst, src)
	case p.colour == pngGrayAlpha:
		step := p.depth / 4
		for i := range width {
			setGray(dst[3*i:], src[i*step])
		}
	case p.depth == 8 && p.colour == pngRGB:
		copy(dst, src)
	case p.depth == 8:
		packRGBX(dst, src)
	default:
		step := p.bits() / 8
		for i := range width {
			s, d := src[i*step:], dst[3*i:]
			d[0], d[1], d[2] = s[0], s[2], s[4]
		}
	}
}

func setGray(dst []uint8, v uint8) {
	dst[0], dst[1], dst[2] = v, v, v
}

// gray16 brings 16 bit to 8: saturated as Pillow has it (I16_RGB in Convert.c), or scaled.
func gray16(high, low uint8, scale bool) uint8 {
	if scale || high == 0 {
		if scale {
			return high
		}
		return low
	}
	return 255
}

// expandBits spreads gray samples of 1, 2 or 4 bits over 0..255.
func expandBits(dst, src []uint8, width, depth int) {
	scale := uint8(255 / (1<<depth - 1))
	for i := range width {
		setGray(dst[3*i:], sample(src, i, depth)*scale)
	}
}

// expandIndices looks up a palette of 256 RGB triples.
func expandIndices(dst, src []uint8, width, depth int, palette *[768]uint8) {
	for i := range width {
		c := 3 * int(sample(src, i, depth))
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0], d[1], d[2] = palette[c], palette[c+1], palette[c+2]
	}
}

// sample is the i-th sample of a row of 1, 2, 4 or 8 bits each, the first in the high bits.
func sample(src []uint8, i, depth int) uint8 {
	if depth == 8 {
		return src[i]
	}
	bit := i * depth
	return src[bit>>3] >> (8 - depth - bit&7) & (1<<depth - 1)
}
