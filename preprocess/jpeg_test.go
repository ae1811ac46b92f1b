package preprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/testdata"
)

// noisy encodes a picture whose chroma changes from pixel to pixel, so that any slip of a column or row shows.
func noisy(t testing.TB, seed uint64, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(seed, 1))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{uint8(r.Uint32()), uint8(x * 5), uint8(r.Uint32()), 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 70 + int(seed%30)}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// resample overwrites the sampling factors of a three-component file's frame header: the same bits then make another,
// scrambled picture, or a damaged one.
func resample(t testing.TB, data []byte, factors [3]byte) []byte {
	t.Helper()
	at := bytes.Index(data, []byte{0xff, 0xc0, 0, 17, 8})
	if at < 0 {
		t.Fatal("no frame header")
	}
	out := bytes.Clone(data)
	for i, f := range factors {
		out[at+11+i*3] = f
	}
	return out
}

// corpus is every JPEG at hand: the reference files, and drawn ones in all common and some uncommon samplings.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for seed, factors := range [][3]byte{{0x22, 0x11, 0x11}, {0x21, 0x11, 0x11}, {0x12, 0x11, 0x11}, {0x11, 0x11, 0x11}, {0x41, 0x11, 0x11},
		{0x14, 0x11, 0x11}, {0x22, 0x21, 0x21}, {0x22, 0x12, 0x12}, {0x22, 0x11, 0x22}, {0x42, 0x11, 0x11}, {0x31, 0x11, 0x11}, {0x11, 0x22, 0x11}} {
		for _, size := range [][2]int{{160, 160}, {333, 160}, {97, 401}, {17, 9}} {
			name := fmt.Sprintf("%x %dx%d", factors, size[0], size[1])
			files[name] = resample(t, noisy(t, uint64(seed), size[0], size[1]), factors)
		}
	}
	names, _ := filepath.Glob(filepath.Join(testdata.Dir(t), "awkward", "*.jp*g"))
	more, _ := filepath.Glob(filepath.Join(testdata.Dir(t), "photos", "*"))
	for _, name := range append(names, more[:10]...) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = data
	}
	// Without its last scans a progressive file is accepted, and libjpeg smooths what is there across the blocks.
	whole := files["jpeg-progressive.jpg"]
	for scans := range 9 {
		cut := bytes.LastIndex(whole, []byte{0xff, 0xda})
		whole = whole[:cut]
		files[fmt.Sprintf("progressive, %d scans less", scans+1)] = append(bytes.Clone(whole), 0xff, 0xd9)
	}
	return files
}

// cropPreset is a preset that looks at a part of the picture which a seed chooses.
func cropPreset(r *rand.Rand) imgvec.Preset {
	p := imageNet(imgvec.Bilinear)
	p.InputSize = imgvec.Size{Height: 8 + r.IntN(120), Width: 8 + r.IntN(120)}
	p.ResizeSize = max(p.InputSize.Height, p.InputSize.Width) + r.IntN(300)
	return p
}

// TestJPEGSkipping: leaving out the rows and columns that a crop does not use changes nothing, also in damaged files.
func TestJPEGSkipping(t *testing.T) {
	requireJPEG(t, codecsAuto)
	r := rand.New(rand.NewPCG(3, 3))
	accepted := 0
	for name, data := range corpus(t) {
		for round := range 6 {
			preset := cropPreset(r)
			if round > 3 {
				data = bytes.Clone(data)
				if len(data) > 700 {
					data[600+r.IntN(len(data)-600)] ^= 1 << r.IntN(8)
				}
			}
			fast, full := newWorker(t, preset, Options{}), newWorker(t, preset, Options{})
			full.careful = true
			size := preset.InputSize.Height * preset.InputSize.Width * 3
			a, b := make([]uint8, size), make([]uint8, size)
			_, errA := fast.Into(context.Background(), a, data)
			_, errB := full.Into(context.Background(), b, data)
			if (errA == nil) != (errB == nil) {
				t.Errorf("%s: %v with skipping, %v without", name, errA, errB)
			} else if errA == nil && !bytes.Equal(a, b) {
				t.Errorf("%s: resize %d, crop %v: other bytes with skipping", name, preset.ResizeSize, preset.InputSize)
			} else if errA == nil {
				accepted++
			}
		}
	}
	if accepted < 200 {
		t.Errorf("only %d pictures were compared", accepted)
	}
}

// TestJPEGTruncated cuts files at many places: all that misses rows is refused, whether or not the crop needs them.
func TestJPEGTruncated(t *testing.T) {
	requireJPEG(t, codecsAuto)
	w := newWorker(t, imageNet(imgvec.Bilinear), Options{})
	dst := make([]uint8, 224*224*3)
	data := noisy(t, 1, 200, 160)
	if _, err := w.Into(context.Background(), dst, data); err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(dst)
	for n := 1; n < len(data)-40; n += 1 + len(data)/700 {
		_, err := w.Into(context.Background(), dst, data[:n])
		if !errors.Is(err, imgvec.ErrDecode) {
			t.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
		if n > 1000 && !strings.Contains(err.Error(), "truncated") {
			t.Fatalf("%d of %d bytes: the reason does not name the cause: %v", n, len(data), err)
		}
	}
	clear(dst)
	if _, err := w.Into(context.Background(), dst, data); err != nil || !bytes.Equal(dst, want) {
		t.Errorf("after many failures the worker makes another picture (%v)", err)
	}
}

// TestJPEGFresh: a file without Huffman or quantisation tables must not be decoded with those of the picture before.
func TestJPEGFresh(t *testing.T) {
	requireJPEG(t, codecsAuto)
	dst := make([]uint8, 224*224*3)
	data := noisy(t, 2, 64, 64)
	bare := bytes.Clone(data)
	at := bytes.Index(bare, []byte{0xff, 0xdb})
	bare[at+1] = 0xfe // the table becomes a comment
	w := newWorker(t, imageNet(imgvec.Bilinear), Options{})
	if _, err := w.Into(context.Background(), dst, data); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Into(context.Background(), dst, bare); !errors.Is(err, imgvec.ErrDecode) {
		t.Errorf("a file without tables after one with: %v", err)
	}
}

// TestJPEGScans refuses a progressive file of thousands of scans, quickly.
func TestJPEGScans(t *testing.T) {
	requireJPEG(t, codecsAuto)
	data, err := os.ReadFile(testdata.Path(t, "awkward/jpeg-progressive.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndex(data, []byte{0xff, 0xda})
	scan := data[last : len(data)-2]
	bomb := append(bytes.Clone(data[:len(data)-2]), bytes.Repeat(scan, 2000)...)
	bomb = append(bomb, 0xff, 0xd9)
	w := newWorker(t, imageNet(imgvec.Bilinear), Options{MaxBytes: 1 << 30})
	_, err = w.Into(context.Background(), make([]uint8, 224*224*3), bomb)
	if !errors.Is(err, imgvec.ErrDecode) || !strings.Contains(err.Error(), "scans") {
		t.Errorf("%d bytes of scans: %v", len(bomb), err)
	}
}

// TestJPEGNoAllocation: once its size has been seen, a JPEG costs no allocation.
func TestJPEGNoAllocation(t *testing.T) {
	requireJPEG(t, codecsAuto)
	w := newWorker(t, imageNet(imgvec.Bicubic), Options{})
	dst := make([]uint8, 224*224*3)
	files := [][]byte{noisy(t, 1, 300, 200), noisy(t, 2, 200, 300)}
	files = append(files, photos(t)[:20]...)
	ctx := context.Background()
	for i, data := range files {
		least := math.Inf(1) // what else the process does counts too, but not in every try
		for try := 0; try < 5 && least > 0; try++ {
			least = min(least, testing.AllocsPerRun(5, func() {
				if _, err := w.Into(ctx, dst, data); err != nil {
					t.Fatal(err)
				}
			}))
		}
		if least != 0 {
			t.Errorf("file %d: %v allocations a picture", i, least)
		}
	}
}
