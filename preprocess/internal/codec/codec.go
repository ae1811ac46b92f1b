package codec

import (
	"errors"
	"fmt"
)

// Image is a decoded picture: RGB, three bytes a pixel, rows Stride bytes apart (Stride >= 3*Width).
type Image struct {
	Pix           []uint8
	Stride        int
	Width, Height int
}

// Limits bound one decode. The zero value has no limits and decodes as Pillow does.
type Limits struct {
	// MaxPixels is the most pixels that a picture may have; 0 means no limit.
	MaxPixels int64
	// Reserve is called with the bytes of pixels and of work memory before they are allocated. It may block (a budget
	// shared by decodes in flight) or refuse with an error, which Decode returns. nil allows all.
	Reserve func(bytes int64) error
	// Gray16Scale maps 16-bit gray to 8 bit by its high byte; false saturates at 255 as Pillow does.
	Gray16Scale bool
	// Codecs says which libraries may be used: "" or "auto", "pillow" (only those of the Pillow wheel), "system" (only
	// the system's), "go" (none).
	Codecs string
}

// Header is what a file says about its picture before any pixel is decoded.
type Header struct {
	Format        string // "jpeg", "png", "webp", "gif", "bmp", "tiff"
	Width, Height int    // as stored, before Orientation is applied
	Orientation   int    // 1..8 as EXIF counts; 1 = upright or not given
	// AlwaysOrient is set for TIFF: Pillow turns it when it loads, also where orientation is to be ignored. Decode
	// returns the picture as stored; the caller turns it by Orientation whatever its options say.
	AlwaysOrient bool
}

var (
	// ErrFormat says that the bytes are of no image format that this package reads. The error's text says what they seem to be.
	ErrFormat = errors.New("not a supported image")
	// ErrTooLarge says that the picture has more pixels than Limits.MaxPixels.
	ErrTooLarge = errors.New("image too large")
)

// reader is one format's pair of functions.
type reader struct {
	header func(data []byte) (Header, error)
	decode func(data []byte, lim Limits, buf []byte) (Image, error)
}

func readerOf(format string) (reader, bool) {
	switch format {
	case "jpeg":
		return reader{jpegHeader, DecodeJPEGGo}, true
	case "png":
		return reader{pngHeader, decodePNG}, true
	case "webp":
		return reader{webpHeader, decodeWebP}, true
	case "tiff":
		return reader{tiffHeader, decodeTIFF}, true
	case "gif":
		return reader{gifHeader, decodeGIF}, true
	case "bmp":
		return reader{bmpHeader, decodeBMP}, true
	}
	return reader{}, false
}

// ReadHeader reads format, size and orientation. Size limits are the caller's to check, before Decode.
func ReadHeader(data []byte) (Header, error) {
	format := Sniff(data)
	r, ok := readerOf(format)
	if !ok {
		return Header{}, unsupported(data, format)
	}
	h, err := r.header(data)
	if err != nil {
		return Header{}, fmt.Errorf("%s: %w", format, err)
	}
	h.Format = format
	return h, nil
}

// Decode decodes the picture of a file whose header is h, as stored: orientation is not applied. JPEG is decoded by
// DecodeJPEGGo. buf may be nil; where its capacity suffices it becomes the image's memory.
func Decode(data []byte, h Header, lim Limits, buf []byte) (Image, error) {
	r, ok := readerOf(h.Format)
	if !ok {
		return Image{}, unsupported(data, h.Format)
	}
	if err := checkSize(h.Width, h.Height, lim); err != nil {
		return Image{}, err
	}
	img, err := r.decode(data, lim, buf)
	if err != nil {
		return Image{}, fmt.Errorf("%s: %w", h.Format, err)
	}
	return img, nil
}

// checkSize refuses a picture over the limit, and one whose bytes no int could count, before anything is computed of it.
func checkSize(w, h int, lim Limits) error {
	if w <= 0 || h <= 0 {
		return fmt.Errorf("size %d x %d", w, h)
	}
	most := lim.MaxPixels
	if most <= 0 || most > absolutePixels {
		most = absolutePixels
	}
	if int64(w) > most || int64(h) > most || int64(w)*int64(h) > most {
		return tooLarge(w, h, most)
	}
	return nil
}

// absolutePixels is the most that is decoded without a limit: six times Pillow's.
const absolutePixels = 1 << 30

func tooLarge(w, h int, most int64) error {
	return fmt.Errorf("%w: %d x %d pixels, the limit is %d (raise --max-pixels if you trust the file)", ErrTooLarge, w, h, most)
}

// newImage reserves and makes the memory of a w x h picture, in buf where that is large enough. work is what the
// decoder needs besides. The pixels are not cleared.
func newImage(w, h int, work int64, lim Limits, buf []byte) (Image, error) {
	if err := checkSize(w, h, lim); err != nil {
		return Image{}, err
	}
	size := 3 * int64(w) * int64(h)
	if lim.Reserve != nil {
		if err := lim.Reserve(size + work); err != nil {
			return Image{}, err
		}
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	return Image{Pix: buf[:size], Stride: 3 * w, Width: w, Height: h}, nil
}

// row gives row y's 3*Width bytes.
func (img Image) row(y int) []uint8 {
	return img.Pix[y*img.Stride:][:3*img.Width]
}
