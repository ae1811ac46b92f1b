package float16_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/imgvec/imgvec/internal/float16"
)

const infinity = 0x7c00

// value is what the standard says that the bits of a finite half stand for.
func value(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&0x3ff)
	v := math.Ldexp(1024+fraction, exponent-15-10)
	if exponent == 0 {
		v = math.Ldexp(fraction, -24)
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return v
}

func TestEveryHalf(t *testing.T) {
	for bits := range 1 << 16 {
		h := uint16(bits)
		f, sign, rest := float16.To(h), h&0x8000, h&0x7fff
		if math.Signbit(float64(f)) != (sign != 0) {
			t.Fatalf("To(%#04x) = %v has the other sign", h, f)
		}
		switch {
		case rest > infinity:
			if want := uint32(sign)<<16 | 0x7f800000 | uint32(h&0x3ff)<<13; math.Float32bits(f) != want {
				t.Fatalf("To(%#04x) has bits %#08x, want NaN %#08x", h, math.Float32bits(f), want)
			}
			if got := float16.From(f); got != sign|0x7e00 {
				t.Fatalf("From(NaN of %#04x) = %#04x", h, got)
			}
			continue
		case rest == infinity:
			if !math.IsInf(float64(f), 0) {
				t.Fatalf("To(%#04x) = %v, want infinity", h, f)
			}
		case float64(f) != value(h):
			t.Fatalf("To(%#04x) = %v, want %v", h, f, value(h))
		}
		if got := float16.From(f); got != h {
			t.Fatalf("From(To(%#04x)) = %#04x", h, got)
		}
	}
}

// Between two neighbours lies a float32 that is as far from both; it goes to the even one, and its neighbours to theirs.
func TestEveryTie(t *testing.T) {
	for h := range uint16(infinity) {
		next := value(h + 1) // behind the largest half: 65536, where infinity begins to be nearer
		middle := float32((value(h) + next) / 2)
		even := h + h&1
		for f, want := range map[float32]uint16{
			middle: even, math.Nextafter32(middle, 0): h, math.Nextafter32(middle, math.MaxFloat32): h + 1,
		} {
			if got := float16.From(f); got != want {
				t.Fatalf("From(%v) = %#04x, want %#04x", f, got, want)
			}
			if got := float16.From(-f); got != want|0x8000 {
				t.Fatalf("From(%v) = %#04x, want %#04x", -f, got, want|0x8000)
			}
		}
	}
}

// nearest finds the half by search, with no arithmetic on bits.
func nearest(f float32) uint16 {
	size, low, high := math.Abs(float64(f)), uint16(0), uint16(infinity) // infinity counts as 65536 here
	for high-low > 1 {
		if middle := low + (high-low)/2; value(middle) <= size {
			low = middle
		} else {
			high = middle
		}
	}
	below, above := size-value(low), value(high)-size
	if above < below || above == below && low&1 == 1 {
		low = high
	}
	if math.Signbit(float64(f)) {
		low |= 0x8000
	}
	return low
}

func TestRandomFloats(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 1_000_000 {
		f := math.Float32frombits(random.Uint32()) // any number
		if i%2 == 0 {                              // one within a half's range
			f = float32(math.Ldexp(random.Float64()*2-1, random.IntN(45)-28))
		}
		if f != f {
			if got := float16.From(f); got&0x7fff != 0x7e00 {
				t.Fatalf("From(NaN) = %#04x", got)
			}
			continue
		}
		if got, want := float16.From(f), nearest(f); got != want {
			t.Fatalf("From(%v) = %#04x, want %#04x", f, got, want)
		}
	}
}
