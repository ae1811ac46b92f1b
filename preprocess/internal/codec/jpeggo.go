package codec

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
)

// maxJPEGScans stops progressive files of many scans, each of which walks the whole picture again. Cameras and
// encoders write about ten; the number is libjpeg-turbo's own limit for its TJFLAG_LIMITSCANS.
const maxJPEGScans = 500

// DecodeJPEGGo decodes JPEG without libjpeg: the standard library's planes, with libjpeg's chroma upsampling and colour
// conversion on top. At most 3 levels from libjpeg, by the inverse DCT's rounding. It refuses what image/jpeg refuses:
// arithmetic coding, lossless JPEG, unusual sampling factors. A truncated file is an error.
func DecodeJPEGGo(data []byte, lim Limits, buf []byte) (Image, error) {
	m, err := readJPEGMeta(data)
	if err != nil {
		return Image{}, fmt.Errorf("%w", err)
	}
	if n := bytes.Count(data, []byte{0xff, markSOS}); n > maxJPEGScans {
		return Image{}, fmt.Errorf("%d scans: more than %d are not decoded", n, maxJPEGScans)
	}
	pixels := int64(m.width+15) * int64(m.height+15)
	out, err := newImage(m.width, m.height, jpegWork(data, m)*pixels, lim, buf)
	if err != nil {
		return Image{}, fmt.Errorf("%w", err)
	}
	ycck := m.components == 4 && m.adobe > 0 && data[m.adobe] == 2
	if m.components == 4 {
		data = withAdobe(data, m.adobe)
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return Image{}, jpegError(err)
	}
	if b := img.Bounds(); b.Dx() != m.width || b.Dy() != m.height {
		return Image{}, errors.New("two frame headers of different size")
	}
	return out, jpegPixels(out, img, ycck)
}

// jpegPixels converts what image/jpeg made. ycck: the four planes of a CMYK picture hold YCbCr and K.
func jpegPixels(out Image, img image.Image, ycck bool) error {
	switch img := img.(type) {
	case *image.Gray:
		grayToRGB(out, img)
	case *image.YCbCr:
		ycbcrToRGB(out, img)
	case *image.RGBA:
		for y := range out.Height {
			packRGBX(out.row(y), img.Pix[y*img.Stride:])
		}
	case *image.CMYK:
		for y := range out.Height {
			row := img.Pix[y*img.Stride:][:4*out.Width]
			if ycck {
				ycckToCMYK(row)
			}
			cmykToRGB(out.row(y), row)
		}
	default:
		return fmt.Errorf("colour model %T", img)
	}
	return nil
}

// jpegWork is how many bytes a pixel image/jpeg needs: its planes, and the coefficients of a progressive file.
func jpegWork(data []byte, m jpegMeta) int64 {
	work := int64(m.components)
	if m.components == 4 {
		work += 4
	}
	if bytes.Contains(data[:min(len(data), 1<<16)], []byte{0xff, 0xc2}) {
		work += 4 * int64(m.components)
	}
	return work
}

func jpegError(err error) error {
	if errors.Is(err, errUnexpectedEOF) {
		return errors.New("the file is truncated")
	}
	var unsupported jpeg.UnsupportedError
	if errors.As(err, &unsupported) {
		return fmt.Errorf("%w (libjpeg decodes more kinds: run imgvec setup)", err)
	}
	return fmt.Errorf("damaged: %w", err)
}

// withAdobe returns a copy of a four-component file that says "no colour transform", so that image/jpeg hands out the
// four planes as they are stored (inverted); it refuses a file that says nothing. at is the transform's place, 0 for none.
func withAdobe(data []byte, at int) []byte {
	if at > 0 {
		data = bytes.Clone(data)
		data[at] = 0
		return data
	}
	out := make([]byte, 0, len(data)+16)
	out = append(out, data[:2]...)
	out = append(out, "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"...)
	return append(out, data[2:]...)
}

func grayToRGB(out Image, img *image.Gray) {
	for y := range out.Height {
		expandGray(out.row(y), img.Pix[y*img.Stride:])
	}
}

// ycbcrToRGB converts planes with libjpeg's "fancy" (triangle) upsampling where libjpeg uses it, else by repeating.
func ycbcrToRGB(out Image, img *image.YCbCr) {
	up := upsampler{img: img, w: out.Width, h: out.Height, sx: 1, sy: 1}
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		up.sx = 2
	case image.YCbCrSubsampleRatio420:
		up.sx, up.sy = 2, 2
	case image.YCbCrSubsampleRatio440:
		up.sy = 2
	case image.YCbCrSubsampleRatio411:
		up.sx = 4
	case image.YCbCrSubsampleRatio410:
		up.sx, up.sy = 4, 2
	}
	up.cw, up.ch = (up.w+up.sx-1)/up.sx, (up.h+up.sy-1)/up.sy
	// libjpeg's triangle filter needs more than two columns, and knows only factors of two.
	up.fancy = up.sx == 1 && up.sy == 2 || up.sx == 2 && up.cw > 2
	width := up.cw * up.sx
	cb, cr := make([]uint8, width), make([]uint8, width)
	sums := make([]int32, up.cw)
	for y := range out.Height {
		up.row(cb, img.Cb, sums, y)
		up.row(cr, img.Cr, sums, y)
		yccRow(out.row(y), img.Y[y*img.YStride:], cb, cr)
	}
}

// An upsampler brings chroma rows to the picture's width and height.
type upsampler struct {
	img    *image.YCbCr
	w, h   int // of the picture
	cw, ch int // of the chroma planes: what lies beyond in them is padding
	sx, sy int // how many luma columns and rows share a chroma sample
	fancy  bool
}

// row makes the chroma row that belongs to luma row y.
func (u *upsampler) row(dst []uint8, plane []uint8, sums []int32, y int) {
	cy := y / u.sy
	near := plane[cy*u.img.CStride:][:u.cw]
	switch {
	case u.sx == 1 && u.sy == 1:
		copy(dst, near)
	case !u.fancy:
		for i := range dst {
			dst[i] = near[i/u.sx]
		}
	case u.sy == 1:
		triangleRow(dst, near)
	default:
		other := cy + 2*(y%2) - 1
		far := plane[min(max(other, 0), u.ch-1)*u.img.CStride:][:u.cw]
		if u.sx == 1 {
			bias := int32(1 + y%2)
			for i, v := range near {
				dst[i] = uint8((3*int32(v) + int32(far[i]) + bias) >> 2)
			}
			return
		}
		for i, v := range near {
			sums[i] = 3*int32(v) + int32(far[i])
		}
		triangleSums(dst, sums)
	}
}

// triangleRow is libjpeg's h2v1_fancy_upsample.
func triangleRow(dst, src []uint8) {
	last := len(src) - 1
	for i, v := range src {
		v3 := 3 * int32(v)
		prev, next := int32(src[max(i-1, 0)]), int32(src[min(i+1, last)])
		dst[2*i], dst[2*i+1] = uint8((v3+prev+1)>>2), uint8((v3+next+2)>>2)
	}
}

// triangleSums is libjpeg's h2v2_fancy_upsample, after the sums of rows.
func triangleSums(dst []uint8, sums []int32) {
	last := len(sums) - 1
	for i, v := range sums {
		prev, next := sums[max(i-1, 0)], sums[min(i+1, last)]
		dst[2*i], dst[2*i+1] = uint8((3*v+prev+8)>>4), uint8((3*v+next+7)>>4)
	}
}
