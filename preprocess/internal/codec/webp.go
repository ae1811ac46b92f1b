package codec

import (
	"bytes"
	"fmt"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

var libwebp = &library{
	name:    "libwebp",
	files:   "libwebp-*.so*",
	needs:   []string{"libsharpyuv-*.so*"},
	sonames: []string{"libwebp.so.7", "libwebp.so"},
	bind:    bindWebP,
}

func webpHeader(data []byte) (Header, error) {
	w, err := parseWebP(data)
	if err != nil {
		return Header{}, err
	}
	return Header{Width: w.width, Height: w.height, Orientation: orientation(w.exif, w.xmp)}, nil
}

// decodeWebP decodes the first frame on a black canvas, as Pillow does by libwebp's animation decoder. Alpha is dropped.
func decodeWebP(data []byte, lim Limits, buf []byte) (Image, error) {
	w, err := parseWebP(data)
	if err != nil {
		return Image{}, err
	}
	f := w.frames[0]
	native, nativeErr := libwebp.use(lim.Codecs)
	// libwebp: planes, or ARGB for lossless files. In Go: the same, and the NRGBA picture that is made of it.
	work := 4 * int64(f.width) * int64(f.height)
	if nativeErr != nil {
		work *= 2
	}
	img, err := newImage(w.width, w.height, work, lim, buf)
	if err != nil {
		return Image{}, err
	}
	if f.width != w.width || f.height != w.height {
		clear(img.Pix)
	}
	at := f.y*img.Stride + 3*f.x
	part := Image{Pix: img.Pix[at:], Stride: img.Stride, Width: f.width, Height: f.height}
	if nativeErr == nil {
		err = native.(nativeWebP).decode(f.fragment(data), part.Pix, part.Stride)
	} else {
		err = decodeWebPGo(f.image.of(data), part)
	}
	if err != nil {
		return Image{}, err
	}
	return img, nil
}

// decodeWebPGo decodes a VP8 or VP8L chunk. x/image/vp8's planes are right, its picture is not: the planes have video's
// range, and image.YCbCr takes them for JPEG's.
func decodeWebPGo(chunk []byte, out Image) error {
	payload := chunk[8:]
	if hasPrefix(chunk, "VP8L") {
		img, err := vp8l.Decode(bytes.NewReader(payload))
		if err != nil {
			return fmt.Errorf("damaged picture data: %w", err)
		}
		pix, stride, err := nrgbaPix(img, out.Width, out.Height)
		if err != nil {
			return err
		}
		for y := range out.Height {
			packRGBX(out.row(y), pix[y*stride:])
		}
		return nil
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(payload), len(payload))
	h, err := d.DecodeFrameHeader()
	if err != nil {
		return fmt.Errorf("damaged picture data: %w", err)
	}
	if h.Width != out.Width || h.Height != out.Height {
		return fmt.Errorf("two sizes: %dx%d and %dx%d", h.Width, h.Height, out.Width, out.Height)
	}
	img, err := d.DecodeFrame()
	if err != nil {
		return fmt.Errorf("damaged picture data: %w", err)
	}
	webpToRGB(out, img)
	return nil
}
