package codec

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fuzzPixels keeps a fuzzer's pictures small.
const fuzzPixels = 1 << 18

// fuzzFormat feeds a decoder with mutations of the golden pictures of one format. It must not panic, must say how much
// memory it takes before it takes it, and must give the picture that the header promised.
func fuzzFormat(f *testing.F, format string) {
	files, _ := golden(f)
	for name, data := range files {
		if len(data) < 4096 && Sniff(data) == format && !strings.HasSuffix(name, ".jpg.png") {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ReadHeader(data)
		if err != nil {
			return
		}
		for _, codecs := range []string{fromAuto, fromGo} {
			var reserved int64
			lim := Limits{MaxPixels: fuzzPixels, Codecs: codecs, Reserve: func(n int64) error {
				if reserved += n; reserved > 1<<30 {
					return errors.New("over the budget")
				}
				return nil
			}}
			img, err := Decode(data, h, lim, nil)
			if err != nil {
				continue
			}
			if err := checkImage(img, h, reserved); err != nil {
				t.Fatalf("%s: %v", codecs, err)
			}
		}
	})
}

func checkImage(img Image, h Header, reserved int64) error {
	switch {
	case img.Width != h.Width || img.Height != h.Height:
		return fmt.Errorf("%dx%d, the header says %dx%d", img.Width, img.Height, h.Width, h.Height)
	case img.Width*img.Height > fuzzPixels:
		return fmt.Errorf("%dx%d is over the limit", img.Width, img.Height)
	case img.Stride < 3*img.Width || len(img.Pix) < img.Stride*(img.Height-1)+3*img.Width:
		return fmt.Errorf("%d bytes, stride %d", len(img.Pix), img.Stride)
	case reserved < int64(len(img.Pix)):
		return fmt.Errorf("reserved %d bytes for %d", reserved, len(img.Pix))
	case h.Orientation < 1 || h.Orientation > 8:
		return fmt.Errorf("orientation %d", h.Orientation)
	}
	return nil
}

func FuzzPNG(f *testing.F)  { fuzzFormat(f, "png") }
func FuzzWebP(f *testing.F) { fuzzFormat(f, "webp") }
func FuzzGIF(f *testing.F)  { fuzzFormat(f, "gif") }
func FuzzBMP(f *testing.F)  { fuzzFormat(f, "bmp") }
func FuzzTIFF(f *testing.F) { fuzzFormat(f, "tiff") }
func FuzzJPEG(f *testing.F) { fuzzFormat(f, "jpeg") }

// FuzzMetadata reads EXIF and XMP of any bytes.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"), []byte(`tiff:Orientation="3"`))
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\xff\xff"), []byte("<tiff:Orientation>8<"))
	f.Fuzz(func(t *testing.T, exif, xmp []byte) {
		if o := orientation(exif, xmp); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
		_, _ = jpegHeader(append([]byte("\xff\xd8\xff\xe1"), exif...)) // must not panic
		if err := unsupported(exif, ""); err == nil {
			t.Error("no reason given")
		}
	})
}
