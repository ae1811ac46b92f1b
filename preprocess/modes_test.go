package preprocess

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/testdata"
)

// modes are presets of every crop mode, in both domains where that is possible.
func modes() map[string]imgvec.Preset {
	all := map[string]imgvec.Preset{}
	add := func(name string, change func(*imgvec.Preset)) {
		p := imageNet(imgvec.Bilinear)
		p.InputSize, p.ResizeSize = imgvec.Size{Height: 61, Width: 83}, 0
		change(&p)
		all[name] = p
		p.Domain = imgvec.DomainFloat
		all[name+", float"] = p
	}
	add("center", func(p *imgvec.Preset) { p.ResizeSize = 70 })
	add("center box", func(p *imgvec.Preset) { p.ResizeTo = imgvec.Size{Height: 70, Width: 90} })
	add("squash", func(p *imgvec.Preset) { p.CropMode = imgvec.CropSquash })
	add("squash box", func(p *imgvec.Preset) {
		p.CropMode, p.ResizeTo = imgvec.CropSquash, imgvec.Size{Height: 70, Width: 80}
	})
	add("border", func(p *imgvec.Preset) { p.CropMode, p.Fill = imgvec.CropBorder, [3]uint8{9, 80, 200} })
	add("border box", func(p *imgvec.Preset) {
		p.CropMode, p.Fill, p.ResizeTo = imgvec.CropBorder, [3]uint8{9, 80, 200}, imgvec.Size{Height: 75, Width: 99}
	})
	add("crop", func(p *imgvec.Preset) { p.CropMode, p.CropRound = imgvec.CropOnly, imgvec.CropFloor })
	return all
}

// TestModesJPEG: a photo that is resized while it is decoded gives what its whole pixels give.
func TestModesJPEG(t *testing.T) {
	requireJPEG(t, codecsPillow)
	file, err := os.ReadFile(testdata.Path(t, "photos/n01682714_American_chameleon.JPEG"))
	if err != nil {
		t.Fatal(err)
	}
	img := stored(t, file)
	src := csrc.Pixels{Pix: make([]uint8, 0, len(img.Pix)), Width: img.Rect.Dx(), Height: img.Rect.Dy(), Stride: img.Rect.Dx() * 3, Step: 3}
	for i := 0; i < len(img.Pix); i += 4 {
		src.Pix = append(src.Pix, img.Pix[i:i+3]...)
	}
	for name, p := range modes() {
		compareWhole(t, name, p, src, into(t, newWorker(t, p, Options{Exif: ExifIgnore}), file))
	}
}

// timmScaled is what timm 1.0.31's ResizeKeepRatio makes of sizes: width, height, box height, box width, longest (1:
// border), and the width and height that come out.
var timmScaled = [][7]int{
	{500, 375, 224, 224, 1, 224, 168}, {375, 500, 224, 224, 1, 168, 224}, {333, 500, 224, 192, 1, 149, 224}, {500, 333, 224, 192, 1, 192, 128},
	{1000, 3, 224, 224, 1, 224, 1}, {1000, 2, 224, 224, 1, 224, 0}, {5, 3, 224, 224, 1, 224, 134}, {224, 3, 112, 112, 1, 112, 2}, {224, 5, 112, 112, 1, 112, 2},
	{500, 375, 224, 192, 0, 299, 224}, {333, 500, 224, 192, 0, 192, 288}, {1, 1, 90, 70, 0, 90, 90}, {7, 1001, 90, 70, 0, 70, 10010}, {451, 301, 248, 213, 0, 372, 248},
}

func TestScaledSizes(t *testing.T) {
	for _, c := range timmScaled {
		p := imageNet(imgvec.Bilinear)
		p.ResizeSize, p.ResizeTo = 0, imgvec.Size{Height: c[2], Width: c[3]}
		if c[4] == 1 {
			p.CropMode = imgvec.CropBorder
		}
		if w, h := resized(p, c[0], c[1]); w != c[5] || h != c[6] {
			t.Errorf("%v: %d x %d", c, w, h)
		}
	}
	p := imageNet(imgvec.Bilinear)
	p.CropMode, p.ResizeSize = imgvec.CropBorder, 0
	data, _ := pngOf(t, 1, 1000, 2)
	_, err := newWorker(t, p, Options{}).Into(context.Background(), make([]uint8, 224*224*3), data)
	if !errors.Is(err, imgvec.ErrDecode) || !strings.Contains(err.Error(), "1000 x 2 pixels") || !strings.Contains(err.Error(), "vanish") {
		t.Errorf("a side of no pixels: %v", err)
	}
}

// TestModesWhole compares every mode, crop-aware, with all of the picture resized by hand and then cut; in domain float
// that is done in float64 and each byte must be within the domain's promise.
func TestModesWhole(t *testing.T) {
	for name, p := range modes() {
		for seed, size := range [][2]int{{1, 1}, {300, 200}, {83, 61}, {57, 301}, {301, 57}, {84, 62}, {9, 4}, {640, 11}} {
			data, _ := pngOf(t, uint64(seed), size[0], size[1])
			got := make([]uint8, p.InputSize.Height*p.InputSize.Width*3)
			if _, err := newWorker(t, p, Options{}).Into(context.Background(), got, data); err != nil {
				t.Fatalf("%s, %v: %v", name, size, err)
			}
			compareWhole(t, name, p, drawn(uint64(seed), size[0], size[1]), got)
		}
	}
}

func compareWhole(t *testing.T, name string, p imgvec.Preset, src csrc.Pixels, got []uint8) {
	t.Helper()
	want, room := wholePicture(t, p, src), 0.0
	if p.Domain == imgvec.DomainFloat {
		room = 0.5 + 1.0/128
	}
	for i := range want {
		if math.Abs(want[i]-float64(got[i])) > room {
			t.Errorf("%s, %dx%d: byte %d is %d, want %v", name, src.Width, src.Height, i, got[i], want[i])
			return
		}
	}
}

// wholePicture resizes without a crop, then cuts or pads pixel by pixel. The resize in float64 is written from the
// filter's definition, that in uint8 is the loops' own without a crop, which the golden tests hold against Pillow.
func wholePicture(t *testing.T, p imgvec.Preset, src csrc.Pixels) []float64 {
	t.Helper()
	w, h := resized(p, src.Width, src.Height)
	whole := make([]float64, w*h*3)
	if p.Domain == imgvec.DomainFloat {
		whole = triangle(triangle(src.Pix, src.Width, src.Height, w), src.Height, w, h)
	} else {
		squashed := p
		squashed.CropMode, squashed.ResizeTo, squashed.InputSize = imgvec.CropSquash, imgvec.Size{}, imgvec.Size{Height: h, Width: w}
		dst := make([]uint8, len(whole))
		worker := newWorker(t, imageNet(imgvec.Bilinear), Options{})
		worker.p.preset = squashed
		plan, _ := worker.p.plan(src.Width, src.Height, 1)
		if err := worker.native.Resample(plan, src, dst); err != nil {
			t.Fatal(err)
		}
		for i, v := range dst {
			whole[i] = float64(v)
		}
	}
	return cut(p, whole, w, h)
}

// triangle resizes the rows of a picture to the given width and turns it on its side, so that two calls do both axes.
func triangle[T uint8 | float64](pix []T, w, h, to int) []float64 {
	out := make([]float64, to*h*3)
	scale := float64(w) / float64(to)
	stretch := max(scale, 1)
	for x := range to {
		center := (float64(x) + 0.5) * scale
		first, last := max(int(math.Floor(center-stretch+0.5)), 0), min(int(center+stretch+0.5), w)
		for y := range h {
			var sum [3]float64
			weights := 0.0
			for i := first; i < last; i++ {
				k := max(1-math.Abs((float64(i)+0.5-center)/stretch), 0)
				weights += k
				for c := range sum {
					sum[c] += k * float64(pix[(y*w+i)*3+c])
				}
			}
			for c := range sum {
				out[(x*h+y)*3+c] = sum[c] / weights
			}
		}
	}
	return out
}

// cut takes InputSize out of the middle, with the padding's colour where there is nothing.
func cut(p imgvec.Preset, pix []float64, w, h int) []float64 {
	out := make([]float64, 0, p.InputSize.Height*p.InputSize.Width*3)
	from := func(have, want int) int { // negative: pixels of padding
		half := float64(have-want) / 2
		if p.CropRound == imgvec.CropHalfEven && have > want {
			return int(math.RoundToEven(half))
		}
		if p.CropRound == imgvec.CropHalfEven {
			return int(math.Ceil(half)) // as many before as fit, the odd one behind
		}
		return int(math.Floor(half))
	}
	left, top := from(w, p.InputSize.Width), from(h, p.InputSize.Height)
	for y := range p.InputSize.Height {
		for x := range p.InputSize.Width {
			for c := range 3 {
				v := float64(p.Fill[c])
				if x+left >= 0 && x+left < w && y+top >= 0 && y+top < h {
					v = pix[((y+top)*w+x+left)*3+c]
				}
				out = append(out, v)
			}
		}
	}
	return out
}

// TestModesOrientation: a picture stored on its side gives the bytes of the upright one; in domain float, where the
// order of the passes is another, at most one level off where the value lies between two.
func TestModesOrientation(t *testing.T) {
	upright, img := pngOf(t, 3, 207, 151)
	for name, p := range modes() {
		want := make([]uint8, p.InputSize.Height*p.InputSize.Width*3)
		w := newWorker(t, p, Options{})
		if _, err := w.Into(context.Background(), want, upright); err != nil {
			t.Fatal(err)
		}
		for orientation := 2; orientation <= 8; orientation++ {
			got := make([]uint8, len(want))
			if _, err := w.Into(context.Background(), got, storedAs(t, img, orientation)); err != nil {
				t.Fatal(err)
			}
			off, most := 0, 0
			for i := range want {
				if want[i] != got[i] {
					off++
					most = max(most, max(int(want[i]), int(got[i]))-min(int(want[i]), int(got[i])))
				}
			}
			if p.Domain != imgvec.DomainFloat && off > 0 || most > 1 || off*50 > len(want) {
				t.Errorf("%s, orientation %d: %d of %d bytes differ, by up to %d", name, orientation, off, len(want), most)
			}
		}
	}
}

// storedAs is a PNG file of the picture, stored so that the orientation turns it upright again.
func storedAs(t *testing.T, up *image.NRGBA, orientation int) []byte {
	t.Helper()
	w, h := up.Rect.Dx(), up.Rect.Dy()
	if orientation >= 5 {
		w, h = h, w
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			from := [...][2]int{{}, {}, {w - 1 - x, y}, {w - 1 - x, h - 1 - y}, {x, h - 1 - y}, {y, x}, {h - 1 - y, x}, {h - 1 - y, w - 1 - x}, {y, w - 1 - x}}[orientation]
			img.SetNRGBA(x, y, up.NRGBAAt(from[0], from[1]))
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return withOrientation(out.Bytes(), orientation)
}

// TestModesAgree: every variant of the loops gives the same bytes in every mode.
func TestModesAgree(t *testing.T) {
	data, _ := pngOf(t, 4, 333, 250)
	for name, p := range modes() {
		var first []uint8
		for _, level := range csrc.Levels() {
			t.Setenv(csrc.LevelVariable, string(level))
			got := make([]uint8, p.InputSize.Height*p.InputSize.Width*3)
			if _, err := newWorker(t, p, Options{}).Into(context.Background(), got, data); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = slices.Clone(got)
			}
			if !bytes.Equal(first, got) {
				t.Errorf("%s, %s: other bytes", name, level)
			}
		}
	}
}

// TestModesMemory: a mode that keeps a thin picture's shape needs no more than a common picture does, and what is not
// possible is refused before anything is built.
func TestModesMemory(t *testing.T) {
	for name, p := range modes() {
		w := newWorker(t, p, Options{})
		for _, size := range [][2]int{{30_000, 400}, {400, 30_000}, {8000, 8000}} {
			need, err := w.p.resizeMemory(size[0], size[1], 1)
			if err != nil || need > 24<<20 {
				t.Errorf("%s, %v: %d bytes, %v", name, size, need, err)
			}
		}
	}
}
