package preprocess

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"strings"
	"sync"
	"testing"

	"github.com/imgvec/imgvec"
)

// pngOf encodes pixels without loss.
func pngOf(t testing.TB, seed uint64, w, h int) ([]byte, *image.NRGBA) {
	t.Helper()
	src := drawn(seed, w, h)
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		copy(img.Pix[i*4:i*4+3], src.Pix[i*3:i*3+3])
		img.Pix[i*4+3] = 255
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), img
}

// TestPadding: what is smaller than the model's picture stands in its middle, on black.
func TestPadding(t *testing.T) {
	data, img := pngOf(t, 6, 7, 9)
	for round, left := range map[imgvec.CropRound]int{imgvec.CropHalfEven: 4, imgvec.CropFloor: 5} {
		preset := imageNet(imgvec.Bilinear)
		preset.InputSize, preset.ResizeSize, preset.CropRound = imgvec.Size{Height: 9, Width: 16}, 7, round
		dst := bytes.Repeat([]byte{77}, 9*16*3)
		if _, err := newWorker(t, preset, Options{}).Into(context.Background(), dst, data); err != nil {
			t.Fatal(err)
		}
		for y := range 9 {
			for x := range 16 {
				want := []byte{0, 0, 0}
				if x >= left && x < left+7 {
					want = img.Pix[img.PixOffset(x-left, y):][:3]
				}
				if got := dst[(y*16+x)*3:][:3]; !bytes.Equal(got, want) {
					t.Fatalf("%s: pixel %d,%d is %v, want %v", round, x, y, got, want)
				}
			}
		}
	}
}

// TestGeometry holds sizes and crops against numbers computed with torchvision 0.26 and transformers' image_transforms.
func TestGeometry(t *testing.T) {
	p := imageNet(imgvec.Bilinear)
	for _, c := range []struct{ w, h, outW, outH, left, top, leftFloor int }{
		{500, 375, 341, 256, 58, 16, 58}, {375, 500, 256, 341, 16, 58, 16}, {256, 256, 256, 256, 16, 16, 16},
		{451, 400, 288, 256, 32, 16, 32}, {442, 500, 256, 289, 16, 32, 16}, {343, 256, 343, 256, 60, 16, 59}, {30000, 2, 3840000, 256, 1919888, 16, 1919888},
	} {
		g := geometryOf(p, c.w, c.h)
		if g.x.out != c.outW || g.y.out != c.outH || g.x.first != c.left || g.y.first != c.top {
			t.Errorf("%dx%d: %+v, want %+v", c.w, c.h, g, c)
		}
		floor := p
		floor.CropRound = imgvec.CropFloor
		if got := geometryOf(floor, c.w, c.h).x.first; got != c.leftFloor {
			t.Errorf("%dx%d, floor: left %d, want %d", c.w, c.h, got, c.leftFloor)
		}
	}
}

// TestLimits refuses what is too large before it decodes, and says how to go on.
func TestLimits(t *testing.T) {
	data, _ := pngOf(t, 1, 40, 30)
	dst := make([]uint8, 224*224*3)
	for _, c := range []struct {
		opts Options
		want error
		text string
	}{
		{Options{MaxPixels: 1199}, imgvec.ErrTooLarge, "40 x 30"},
		{Options{MaxBytes: 100}, imgvec.ErrTooLarge, "--max-bytes"},
		{Options{DecodeMemory: 1}, nil, ""}, // alone over the budget: it gets all of it
		{Options{MaxPixels: 1200}, nil, ""},
	} {
		_, err := newWorker(t, imageNet(imgvec.Bilinear), c.opts).Into(context.Background(), dst, data)
		if !errors.Is(err, c.want) || (err != nil && !strings.Contains(err.Error(), c.text)) {
			t.Errorf("%+v: %v", c.opts, err)
		}
	}
	w := newWorker(t, imageNet(imgvec.Bilinear), Options{})
	for _, bad := range [][]byte{nil, []byte("<html>"), data[:60], {0xff, 0xd8, 0xff}} {
		if _, err := w.Into(context.Background(), dst, bad); !errors.Is(err, imgvec.ErrDecode) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, opts := range []Options{{Exif: "x"}, {Gray16: "x"}, {Codecs: "x"}, {MaxPixels: -1}} {
		if _, err := New(imageNet(imgvec.Bilinear), opts); err == nil {
			t.Errorf("%+v was accepted", opts)
		}
	}
}

// TestBudget: a worker waits for its share of the memory, gives up with its context, and gives all of it back.
func TestBudget(t *testing.T) {
	p, err := New(imageNet(imgvec.Bilinear), Options{DecodeMemory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	w := p.NewWorker()
	defer w.Close()
	data, _ := pngOf(t, 1, 100, 100)
	dst := make([]uint8, 224*224*3)
	if !p.budget.TryAcquire(1 << 20) {
		t.Fatal("the budget is not free")
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := w.Into(ctx, dst, data)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for memory, cancelled: %v", err)
	}
	p.budget.Release(1 << 20)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			w := p.NewWorker()
			defer w.Close()
			dst := make([]uint8, 224*224*3)
			for range 20 {
				if _, err := w.Into(context.Background(), dst, data); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if !p.budget.TryAcquire(1 << 20) {
		t.Error("memory was not given back")
	}
}

// TestPanic: a decoder that panics fails its picture, and the worker goes on.
func TestPanic(t *testing.T) {
	w := newWorker(t, imageNet(imgvec.Bilinear), Options{})
	data, _ := pngOf(t, 1, 10, 10)
	dst := make([]uint8, 224*224*3)
	w.limits.Reserve = func(int64) error { panic("broken decoder") }
	if _, err := w.Into(context.Background(), dst, data); !errors.Is(err, imgvec.ErrDecode) || !strings.Contains(err.Error(), "broken decoder") {
		t.Errorf("after a panic: %v", err)
	}
	w.limits.Reserve = w.reserve
	if _, err := w.Into(context.Background(), dst, data); err != nil {
		t.Error(err)
	}
	w.Close()
	w.Close()
	if _, err := w.Into(context.Background(), dst, data); !errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestDecoder: the summary's line names a decoder, also without any library.
func TestDecoder(t *testing.T) {
	for _, codecs := range []string{codecsAuto, codecsGo} {
		p, err := New(imageNet(imgvec.Bilinear), Options{Codecs: codecs})
		if err != nil {
			t.Fatal(err)
		}
		if text := p.Decoder(); !strings.Contains(text, "jpeg") || (codecs == codecsGo) != strings.Contains(text, "image/jpeg (Go)") && p.jpeg.lib != nil {
			t.Errorf("%s: %q", codecs, text)
		}
		t.Log(p.Decoder())
	}
	if len(Decoders()) != 6 {
		t.Errorf("%d formats: %v", len(Decoders()), Decoders())
	}
}
