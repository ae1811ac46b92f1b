package csrc

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/imgvec/imgvec"
)

func testTable() [3][256]float32 {
	return imgvec.Preset{Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd}.Table()
}

func randomBytes(seed uint64, n int) []uint8 {
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]uint8, n)
	for i := range b {
		b[i] = uint8(r.Uint32())
	}
	return b
}

// TestNormalize checks every layout and order against the definition, element by element.
func TestNormalize(t *testing.T) {
	table := testTable()
	const n, h, w = 3, 5, 7
	src := randomBytes(1, n*h*w*3)
	for _, layout := range []imgvec.Layout{imgvec.NCHW, imgvec.NHWC} {
		for _, order := range []imgvec.ChannelOrder{imgvec.RGB, imgvec.BGR} {
			dst, half := make([]float32, len(src)), make([]uint16, len(src))
			Normalize(dst, src, n, h, w, &table, layout, order)
			NormalizeF16(half, src, n, h, w, &table, layout, order)
			for i := range src {
				img, pixel, c := i/(h*w*3), i/3%(h*w), i%3
				to := c
				if order == imgvec.BGR {
					to = 2 - c
				}
				at := img*h*w*3 + pixel*3 + to
				if layout == imgvec.NCHW {
					at = (img*3+to)*h*w + pixel
				}
				want := table[c][src[i]]
				if dst[at] != want || half[at] != Float16(want) {
					t.Fatalf("%s %s: element %d is %v, %#x; want %v", layout, order, at, dst[at], half[at], want)
				}
			}
		}
	}
}

func TestNormalizeTwins(t *testing.T) {
	table := testTable()
	src := randomBytes(2, 2*224*224*3)
	for _, planar := range []bool{false, true} {
		for _, bgr := range []bool{false, true} {
			a, b := make([]float32, len(src)), make([]float32, len(src))
			normalize32(a, src, 2, 224*224, &table, planar, bgr)
			normalizeGo(b, src, 2, 224*224, &table, planar, bgr)
			if !slices.Equal(a, b) {
				t.Errorf("planar %v, bgr %v: native and Go differ", planar, bgr)
			}
		}
	}
}

// TestFloat16 compares every half-precision number, the midpoints between neighbours and what is beside these.
func TestFloat16(t *testing.T) {
	decode := func(h uint16) float64 {
		exp, frac := int(h>>10&31), float64(h&1023)
		if exp == 0 {
			return math.Ldexp(frac, -24)
		}
		return math.Ldexp(1024+frac, exp-25)
	}
	for h := uint16(0); h < 0x7c00; h++ {
		v, next := decode(h), decode(h+1)
		if h == 0x7bff {
			next = 65536
		}
		mid := float32((v + next) / 2)
		even := h + h&1
		cases := []struct {
			f    float32
			want uint16
		}{{float32(v), h}, {mid, even}, {math.Nextafter32(mid, 0), h}, {math.Nextafter32(mid, 1e9), h + 1}}
		for _, c := range cases {
			if got := Float16(c.f); got != c.want {
				t.Fatalf("Float16(%v) = %#x, want %#x", c.f, got, c.want)
			}
			if got := Float16(-c.f); got != c.want|0x8000 {
				t.Fatalf("Float16(%v) = %#x, want %#x", -c.f, got, c.want|0x8000)
			}
		}
	}
	if got := Float16(float32(math.NaN())); got&0x7c00 != 0x7c00 || got&0x3ff == 0 {
		t.Errorf("Float16(NaN) = %#x", got)
	}
	if Float16(float32(math.Inf(1))) != 0x7c00 || Float16(1e30) != 0x7c00 {
		t.Error("infinity is lost")
	}
}

func BenchmarkNormalize(b *testing.B) {
	table := testTable()
	src := randomBytes(3, 224*224*3)
	dst := make([]float32, len(src))
	for b.Loop() {
		Normalize(dst, src, 1, 224, 224, &table, imgvec.NCHW, imgvec.RGB)
	}
}
