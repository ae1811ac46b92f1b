package codec

import (
	"fmt"
	"image"
)

func nrgbaPix(img image.Image, w, h int) ([]uint8, int, error) {
	n, ok := img.(*image.NRGBA)
	if !ok || n.Rect.Dx() != w || n.Rect.Dy() != h {
		return nil, 0, fmt.Errorf("lossless frame of another size or kind (%T)", img)
	}
	return n.Pix, n.Stride, nil
}

// webpToRGB converts 4:2:0 planes as libwebp does: its "fancy" upsampling (dsp/upsampling.c) and its fixed-point colours
// of limited range (dsp/yuv.h).
func webpToRGB(out Image, img *image.YCbCr) {
	cw, ch := (out.Width+1)/2, (out.Height+1)/2
	u, v := make([]uint8, out.Width+1), make([]uint8, out.Width+1)
	for y := range out.Height {
		near := y / 2
		far := min(max(near+2*(y%2)-1, 0), ch-1)
		fancyRow(u, img.Cb[near*img.CStride:][:cw], img.Cb[far*img.CStride:][:cw])
		fancyRow(v, img.Cr[near*img.CStride:][:cw], img.Cr[far*img.CStride:][:cw])
		limitedRow(out.row(y), img.Y[y*img.YStride:], u, v)
	}
}

// fancyRow doubles a chroma row: each sample is 9/16 of the nearest, 3/16 of two, 1/16 of the farthest neighbour,
// rounded in libwebp's two steps.
func fancyRow(dst, near, far []uint8) {
	last := len(near) - 1
	far = far[:len(near)]
	dst[0] = uint8((3*int(near[0]) + int(far[0]) + 2) >> 2)
	for i := 1; i <= last; i++ {
		a, b, c, d := int(near[i-1]), int(near[i]), int(far[i-1]), int(far[i])
		avg := a + b + c + d + 8
		dst[2*i-1] = uint8(((avg+2*(b+c))>>3 + a) >> 1)
		dst[2*i] = uint8(((avg+2*(a+d))>>3 + b) >> 1)
	}
	dst[2*last+1] = uint8((3*int(near[last]) + int(far[last]) + 2) >> 2)
}

// limitedRow converts a row of limited-range samples.
func limitedRow(dst, y, u, v []uint8) {
	n := len(dst) / 3
	y, u, v = y[:n], u[:n], v[:n]
	for i := range n {
		l, cb, cr := int32(y[i])*19077>>8, int32(u[i]), int32(v[i])
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0] = clip8((l + cr*26149>>8 - 14234) >> 6)
		d[1] = clip8((l - cb*6419>>8 - cr*13320>>8 + 8708) >> 6)
		d[2] = clip8((l + cb*33050>>8 - 17685) >> 6)
	}
}
