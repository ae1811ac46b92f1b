package codec

import (
	"bytes"
	"fmt"
	"image"
	"math/rand/v2"
	"testing"

	"github.com/disintegration/imaging"
)

// imagingTurns are the same turns by disintegration/imaging (which counts angles counter-clockwise).
var imagingTurns = map[int]func(image.Image) *image.NRGBA{
	1: imaging.Clone, 2: imaging.FlipH, 3: imaging.Rotate180, 4: imaging.FlipV,
	5: imaging.Transpose, 6: imaging.Rotate270, 7: imaging.Transverse, 8: imaging.Rotate90,
}

func TestOrientEqualsImaging(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][2]int{{1, 1}, {1, 7}, {5, 1}, {3, 2}, {31, 33}, {32, 64}, {97, 65}} {
		for o, turn := range imagingTurns {
			t.Run(fmt.Sprintf("%dx%d/%d", size[0], size[1], o), func(t *testing.T) {
				src := randomImage(rng, size[0], size[1])
				want := turn(toNRGBA(src))
				got := Orient(src, o, nil)
				if got.Width != want.Bounds().Dx() || got.Height != want.Bounds().Dy() {
					t.Fatalf("size %dx%d, imaging has %v", got.Width, got.Height, want.Bounds())
				}
				if !bytes.Equal(toNRGBA(got).Pix, want.Pix) {
					t.Error("pixels differ from imaging's")
				}
			})
		}
	}
}

func TestOrientUsesBuf(t *testing.T) {
	src := randomImage(rand.New(rand.NewPCG(3, 4)), 10, 4)
	buf := make([]byte, 200)
	if got := Orient(src, 6, buf); &got.Pix[0] != &buf[0] {
		t.Error("a buffer that is large enough was not used")
	}
	for _, o := range []int{-1, 0, 1, 9} {
		if got := Orient(src, o, buf); &got.Pix[0] != &src.Pix[0] {
			t.Errorf("orientation %d: the picture was copied", o)
		}
	}
}

// randomImage has a stride wider than its rows, so that no code may take them for one.
func randomImage(rng *rand.Rand, w, h int) Image {
	img := Image{Stride: 3*w + 5, Width: w, Height: h}
	img.Pix = make([]byte, img.Stride*h)
	for i := range img.Pix {
		img.Pix[i] = byte(rng.Uint32())
	}
	return img
}

func toNRGBA(img Image) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, img.Width, img.Height))
	for y := range img.Height {
		row := img.row(y)
		for x := range img.Width {
			copy(out.Pix[y*out.Stride+4*x:], row[3*x:3*x+3])
			out.Pix[y*out.Stride+4*x+3] = 255
		}
	}
	return out
}
