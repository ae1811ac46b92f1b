package codec

// Orient turns img upright as EXIF orientation (1..8) asks, as Pillow's ImageOps.exif_transpose does, into buf where its
// capacity suffices. Orientation 1, and any number out of range, returns img itself. buf must not be img's memory.
func Orient(img Image, orientation int, buf []byte) Image {
	if orientation <= 1 || orientation > 8 {
		return img
	}
	w, h := img.Width, img.Height
	if orientation >= 5 {
		w, h = h, w
	}
	size := 3 * w * h
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	out := Image{Pix: buf[:size], Stride: 3 * w, Width: w, Height: h}
	if orientation < 5 {
		flip(out, img, orientation != 4, orientation != 2)
	} else {
		transpose(out, img, orientation == 7 || orientation == 8, orientation == 6 || orientation == 7)
	}
	return out
}

// flip copies src with columns reversed (mirror) and rows reversed (upside).
func flip(dst, src Image, mirror, upside bool) {
	for y := range src.Height {
		from, to := src.row(y), dst.row(y)
		if upside {
			to = dst.row(src.Height - 1 - y)
		}
		if !mirror {
			copy(to, from)
			continue
		}
		j := len(to)
		for i := 0; i+3 <= len(from); i += 3 {
			j -= 3
			to[j], to[j+1], to[j+2] = from[i], from[i+1], from[i+2]
		}
	}
}

// transposeBlock is the side of the squares that transpose works in: 32 rows of 96 bytes of each picture stay in the
// first-level cache.
const transposeBlock = 32

// transpose copies src with rows and columns exchanged. down: the first source column becomes the last row. left: the
// first source row becomes the last column.
func transpose(dst, src Image, down, left bool) {
	for y0 := 0; y0 < src.Height; y0 += transposeBlock {
		for x0 := 0; x0 < src.Width; x0 += transposeBlock {
			transposeSquare(dst, src, x0, y0, down, left)
		}
	}
}

func transposeSquare(dst, src Image, x0, y0 int, down, left bool) {
	x1, y1 := min(x0+transposeBlock, src.Width), min(y0+transposeBlock, src.Height)
	for x := x0; x < x1; x++ {
		row := x
		if down {
			row = src.Width - 1 - x
		}
		to := dst.row(row)
		at := y0*src.Stride + 3*x
		j, step := 3*y0, 3
		if left {
			j, step = 3*(src.Height-1-y0), -3
		}
		for y := y0; y < y1; y++ {
			from := src.Pix[at : at+3 : at+3]
			to[j], to[j+1], to[j+2] = from[0], from[1], from[2]
			at += src.Stride
			j += step
		}
	}
}
