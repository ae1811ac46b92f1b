package codec

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestSniffNamesWhatItSees(t *testing.T) {
	tga := make([]byte, 30)
	tga[2], tga[12], tga[14], tga[16] = 2, 5, 5, 24
	for _, c := range []struct{ data, want string }{
		{"", "empty"}, {"<!DOCTYPE html><html>", "HTML"}, {"<?xml version='1.0'?><svg>", "SVG"}, {"%PDF-1.7", "PDF"},
		{"\x00\x00\x00\x18ftypheic", "HEIC"}, {"\x00\x00\x00\x18ftypavif", "AVIF"}, {"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"},
		{"\x00\x00\x01\x00\x01\x00", "ICO"}, {"P6\n3 2\n255\n", "any-map"}, {"\n\xff\xd8\xff\xe0", "white space"},
		{"8BPS\x00\x01", "Photoshop"}, {"PK\x03\x04", "ZIP"}, {"abcdefgh", "61 62 63"}, {string(tga), "TGA"},
		{"version https://git-lfs.github.com/spec/v1\n", "Git LFS"},
	} {
		if f := Sniff([]byte(c.data)); f != "" {
			t.Errorf("%q: taken for %s", c.data, f)
		}
		_, err := ReadHeader([]byte(c.data))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want ErrFormat and %q in it", c.data, err, c.want)
		}
	}
}

// goldenOf picks one golden picture of each format.
func goldenOf(t *testing.T) map[string][]byte {
	t.Helper()
	files, _ := golden(t)
	out := map[string][]byte{}
	for format, name := range map[string]string{
		"png": "png/2-8-0.png", "webp": "webp/24x16.webp", "gif": "gif/33x17-0.gif", "bmp": "bmp/24.bmp",
		"tiff": "tiff/zstd.tif", "jpeg": "jpeg/18x21-420.jpg",
	} {
		if out[format] = files[name]; out[format] == nil {
			t.Fatalf("no golden picture %s", name)
		}
	}
	return out
}

func TestLimits(t *testing.T) {
	refused := errors.New("no budget")
	for format, data := range goldenOf(t) {
		for _, codecs := range []string{fromAuto, fromGo} {
			h, err := ReadHeader(data)
			if err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			if h.Format != format {
				t.Errorf("%s: header says %s", format, h.Format)
			}
			pixels := int64(h.Width) * int64(h.Height)
			if _, err := Decode(data, h, Limits{MaxPixels: pixels - 1, Codecs: codecs}, nil); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: one pixel over the limit: %v", format, err)
			}
			if _, err := Decode(data, h, Limits{MaxPixels: pixels, Codecs: codecs}, nil); err != nil {
				t.Errorf("%s: at the limit: %v", format, err)
			}
			lim := Limits{Codecs: codecs, Reserve: func(int64) error { return refused }}
			if _, err := Decode(data, h, lim, nil); !errors.Is(err, refused) {
				t.Errorf("%s: the budget's refusal got lost: %v", format, err)
			}
		}
	}
}

// TestBufferIsReused decodes into dirty memory: no byte of it may show.
func TestBufferIsReused(t *testing.T) {
	files, refs := golden(t)
	for name, ref := range refs {
		h, err := ReadHeader(files[name])
		if ref.Error != "" || err != nil {
			continue
		}
		clean, err := Decode(files[name], h, Limits{}, nil)
		if err != nil {
			continue
		}
		buf := bytes.Repeat([]byte{0x5a}, len(clean.Pix)+100)
		dirty, err := Decode(files[name], h, Limits{}, buf)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if &dirty.Pix[0] != &buf[0] {
			t.Errorf("%s: the buffer was not used", name)
		}
		if rgbSum(clean) != rgbSum(dirty) {
			t.Errorf("%s: what was in the buffer shows", name)
		}
	}
}

func TestGray16(t *testing.T) {
	files, _ := golden(t)
	for _, name := range []string{"png/0-16-0.png", "png/0-16-1.png", "tiff/1-16-1-1--1.tif", "tiff/1-12-1-1--1.tif"} {
		saturated, _, err := loadRGB(files[name], Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		scaled, _, err := loadRGB(files[name], Limits{Gray16Scale: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// A sample of at most 255 keeps its value in the one and has a high byte of 0 (12 bits: up to 15) in the other.
		for i, v := range scaled.Pix {
			if s := saturated.Pix[i]; v > 15 && s != 255 || s < 255 && v > 15 {
				t.Fatalf("%s: byte %d is %d saturated, %d scaled", name, i, s, v)
			}
		}
		if bytes.Equal(saturated.Pix, scaled.Pix) {
			t.Errorf("%s: scaling changes nothing", name)
		}
	}
}

// TestBombs checks that small files which claim much are refused before anything is allocated.
func TestBombs(t *testing.T) {
	gif := []byte("GIF89a\xff\xff\x2a\x04\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\xff\xff\x2a\x04\x00\x02\x02D\x01\x00;")
	png := append([]byte(pngMagic), "\x00\x00\x00\x0dIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\x00\x00\x00"...)
	bmp := make([]byte, 60)
	copy(bmp, "BM")
	bmp[14], bmp[18], bmp[21], bmp[22], bmp[25], bmp[28] = 40, 1, 0x7f, 1, 0x7f, 32
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, data := range map[string][]byte{"gif": gif, "png": png, "bmp": bmp} {
		h, err := ReadHeader(data)
		if err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		if _, err := Decode(data, h, Limits{}, nil); err == nil {
			t.Errorf("%s: %dx%d decoded", name, h.Width, h.Height)
		} else if name == "bmp" && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 512<<20 {
		t.Errorf("%d MiB were allocated", n>>20)
	}
}

// TestConcurrent decodes every golden picture in several goroutines at once.
func TestConcurrent(t *testing.T) {
	files, refs := golden(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for name, ref := range refs {
				img, _, err := loadRGB(files[name], Limits{})
				if ref.Error == "" && ref.Format != "JPEG" && err == nil && rgbSum(img) != ref.RGB {
					t.Errorf("%s differs", name)
				}
			}
		})
	}
	wg.Wait()
}
