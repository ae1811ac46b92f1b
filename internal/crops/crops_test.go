package crops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"iter"
	"testing"

	"go.uber.org/goleak"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/preprocess"
)

const side = 8

func preprocessor(t *testing.T, opts preprocess.Options) *preprocess.Preprocessor {
	t.Helper()
	opts.Codecs = "go"
	p, err := preprocess.New(imgvec.Preset{
		InputSize: imgvec.Size{Height: side, Width: side}, CropMode: imgvec.CropCenter, ResizeSize: side, CropRound: imgvec.CropHalfEven,
		Interpolation: imgvec.Bilinear, Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
	}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// gray is a picture of one gray, in a PNG. The larger ones take longer, so that images overtake each other.
func gray(t *testing.T, level uint8, size int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, size, size))
	for i := range img.Pix {
		img.Pix[i] = color.Gray{Y: level}.Y
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func grays(t *testing.T, n int) []imgvec.Item {
	t.Helper()
	items := make([]imgvec.Item, n)
	for i := range items {
		data := gray(t, uint8(i), side+i%5*100)
		items[i] = imgvec.Item{ID: fmt.Sprint(i), Data: data}
		if i%2 == 0 {
			items[i] = imgvec.Item{ID: fmt.Sprint(i), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
		}
	}
	return items
}

func each(items []imgvec.Item) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		for _, item := range items {
			if !yield(item) {
				return
			}
		}
	}
}

var limits = Options{Size: side * side * 3, MaxBytes: 1 << 20, Workers: 4}

func TestEachKeepsTheOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	next := 0
	err := Each(t.Context(), preprocessor(t, preprocess.Options{}), each(grays(t, 200)), limits, func(pixels []uint8) error {
		if len(pixels) != side*side*3 || pixels[0] != uint8(next) || pixels[len(pixels)-1] != uint8(next) {
			t.Errorf("picture %d: %d bytes, %v", next, len(pixels), pixels[0])
		}
		next++
		return nil
	})
	if err != nil || next != 200 {
		t.Errorf("%d pictures, %v", next, err)
	}
}

func TestEachEndsAtTheFirstError(t *testing.T) {
	defer goleak.VerifyNone(t)
	items := grays(t, 100)
	items[30] = imgvec.Item{ID: "broken.png", Data: []byte("no picture")}
	items[31] = imgvec.Item{ID: "later.png", Data: []byte("no picture")}
	used := 0
	err := Each(t.Context(), preprocessor(t, preprocess.Options{}), each(items), limits, func([]uint8) error { used++; return nil })
	if !errors.Is(err, imgvec.ErrDecode) || used != 30 || err.Error()[:18] != `image "broken.png"` {
		t.Errorf("after %d pictures: %v", used, err)
	}
	full := errors.New("disk full")
	if err := Each(t.Context(), preprocessor(t, preprocess.Options{}), each(items), limits, func([]uint8) error { return full }); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := Each(ctx, preprocessor(t, preprocess.Options{}), each(items), limits, func([]uint8) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestEachRefusesLargeFiles(t *testing.T) {
	items := grays(t, 1)
	size := int64(len(gray(t, 0, side)))
	for maxBytes, want := range map[int64]error{size - 1: imgvec.ErrTooLarge, size: nil} {
		p := preprocessor(t, preprocess.Options{MaxBytes: maxBytes})
		err := Each(t.Context(), p, each(items), Options{Size: limits.Size, MaxBytes: maxBytes}, func([]uint8) error { return nil })
		if !errors.Is(err, want) {
			t.Errorf("%d bytes of %d: %v", size, maxBytes, err)
		}
	}
}
