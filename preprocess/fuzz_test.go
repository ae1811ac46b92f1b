package preprocess

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/testdata"
)

// guarded is a destination between two fences.
type guarded struct{ all, dst []uint8 }

func newGuarded(size int) guarded {
	const fence = 256
	all := bytes.Repeat([]byte{0xa5}, size+2*fence)
	return guarded{all, all[fence : fence+size : fence+size]}
}

func (g guarded) intact() bool {
	n := (len(g.all) - len(g.dst)) / 2
	fence := bytes.Repeat([]byte{0xa5}, n)
	return bytes.Equal(g.all[:n], fence) && bytes.Equal(g.all[len(g.all)-n:], fence)
}

// FuzzInto: no bytes make Into panic, write outside dst, or give an error of no kind; and leaving out what a crop does not
// need never shows. Seeds are JPEGs; the other formats have targets of their own in internal/codec.
func FuzzInto(f *testing.F) {
	for seed, size := range [][2]int{{40, 30}, {8, 70}, {65, 64}} {
		data := noisy(f, uint64(seed), size[0], size[1])
		f.Add(data)
		f.Add(data[:len(data)*2/3])
		f.Add(resample(f, data, [3]byte{0x21, 0x11, 0x11}))
	}
	p, err := New(fuzzPreset(), Options{MaxPixels: 1 << 20, DecodeMemory: 64 << 20})
	if err != nil {
		f.Fatal(err)
	}
	w, full := p.NewWorker(), p.NewWorker()
	full.careful = true
	f.Cleanup(func() { w.Close(); full.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := newGuarded(40*24*3), newGuarded(40*24*3)
		_, errA := w.Into(context.Background(), a.dst, data)
		_, errB := full.Into(context.Background(), b.dst, data)
		if !a.intact() || !b.intact() {
			t.Fatal("written outside dst")
		}
		if (errA == nil) != (errB == nil) || errA == nil && !bytes.Equal(a.dst, b.dst) {
			t.Fatalf("skipping shows: %v, %v", errA, errB)
		}
		if errA != nil && !errors.Is(errA, imgvec.ErrDecode) && !errors.Is(errA, imgvec.ErrTooLarge) {
			t.Fatalf("an error of no kind: %v", errA)
		}
	})
}

func fuzzPreset() imgvec.Preset {
	preset := imageNet(imgvec.Bicubic)
	preset.InputSize, preset.ResizeSize = imgvec.Size{Height: 24, Width: 40}, 48
	return preset
}

// TestAwkward runs every awkward file through every choice of codecs: no writes outside dst, no strange errors, and what
// the Go decoders accept is close to what libjpeg-turbo makes.
func TestAwkward(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(testdata.Dir(t), "awkward", "*"))
	if err != nil || len(names) < 100 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	more, _ := filepath.Glob(filepath.Join(testdata.Dir(t), "photos", "*"))
	requireJPEG(t, codecsAuto)
	native := newWorker(t, imageNet(imgvec.Bilinear), Options{})
	pure := newWorker(t, imageNet(imgvec.Bilinear), Options{Codecs: codecsGo})
	for _, name := range append(names, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		a, b := newGuarded(224*224*3), newGuarded(224*224*3)
		picture, errA := native.Into(context.Background(), a.dst, data)
		_, errB := pure.Into(context.Background(), b.dst, data)
		if !a.intact() || !b.intact() {
			t.Errorf("%s: written outside dst", name)
		}
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, imgvec.ErrDecode) && !errors.Is(err, imgvec.ErrTooLarge) {
				t.Errorf("%s: an error of no kind: %v", name, err)
			}
		}
		if errA == nil && errB == nil && picture.Format == "jpeg" && furthest(a.dst, b.dst) > 3 {
			t.Errorf("%s: the Go decoder is %d levels off", name, furthest(a.dst, b.dst))
		}
		if errA != nil && errB == nil && picture.Format == "jpeg" {
			t.Errorf("%s: the Go decoder accepts what libjpeg-turbo refuses: %v", name, errA)
		}
	}
}

func furthest(a, b []uint8) int {
	most := 0
	for i, v := range a {
		most = max(most, int(v)-int(b[i]), int(b[i])-int(v))
	}
	return most
}

// TestSystemJPEG: the system's libjpeg-turbo, where there is one, makes the same pictures as the wheel's.
func TestSystemJPEG(t *testing.T) {
	if lib := openJPEG(codecsSystem); lib.lib == nil {
		t.Skip(lib.err)
	}
	requireJPEG(t, codecsPillow)
	ours := newWorker(t, imageNet(imgvec.Bilinear), Options{Codecs: codecsPillow})
	theirs := newWorker(t, imageNet(imgvec.Bilinear), Options{Codecs: codecsSystem})
	a, b := make([]uint8, 224*224*3), make([]uint8, 224*224*3)
	for i, data := range photos(t) {
		_, errA := ours.Into(context.Background(), a, data)
		_, errB := theirs.Into(context.Background(), b, data)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("photo %d: %v, %v, the same bytes: %v", i, errA, errB, bytes.Equal(a, b))
		}
	}
}
