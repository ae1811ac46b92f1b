package preprocess

import (
	"math"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
)

// The filters are Pillow's (src/libImaging/Resample.c). They are computed in IEEE double, every product rounded by its
// own conversion: Go may otherwise fuse x*y+z on some CPUs, which would give other tables there.

// kernel is a filter: its support at no reduction, and its value at x.
type kernel struct {
	support float64
	at      func(x float64) float64
}

var kernels = map[imgvec.Interpolation]kernel{
	imgvec.Box:      {0.5, box},
	imgvec.Bilinear: {1, bilinear},
	imgvec.Hamming:  {1, hamming},
	imgvec.Bicubic:  {2, bicubic},
	imgvec.Lanczos:  {3, lanczos},
}

func box(x float64) float64 {
	if x > -0.5 && x <= 0.5 {
		return 1
	}
	return 0
}

func bilinear(x float64) float64 { return max(1-math.Abs(x), 0) }

// hammingBase and hammingWave are 0.54 and 0.46 as Pillow has them: single-precision constants in a double sum.
const (
	hammingBase = 0x1.147ae2p-1
	hammingWave = 0x1.d70a3ep-2
)

func hamming(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x == 0:
		return 1
	case x >= 1:
		return 0
	}
	x = float64(x * math.Pi)
	window := hammingBase + float64(hammingWave*math.Cos(x))
	return float64(math.Sin(x) / x * window)
}

func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		v := float64((a+2)*x) - (a + 3)
		return float64(float64(v*x)*x) + 1
	case x < 2:
		v := float64((x-5)*x) + 8
		return float64((float64(v*x) - 4) * a)
	}
	return 0
}

func lanczos(x float64) float64 {
	if x >= -3 && x < 3 {
		return float64(sinc(x) * sinc(x/3))
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x = float64(x * math.Pi)
	return math.Sin(x) / x
}

// windowsOf are the windows of the pixels first .. first+count-1 of a side that is resized from in to out pixels.
func windowsOf(filter imgvec.Interpolation, s side) []csrc.Window {
	if s.in == s.out {
		return same(s)
	}
	if filter == imgvec.Nearest {
		return nearest(s)
	}
	k := kernels[filter]
	scale := float64(float32(s.in)) / float64(s.out)
	stretch := max(scale, 1)
	support := float64(k.support * stretch)
	inverse := 1 / stretch
	windows := make([]csrc.Window, s.count)
	weights := make([]float64, windowRoom(support))
	room := make([]int32, s.count*len(weights)) // one allocation for all windows
	for i := range windows {
		center := float64((float64(s.first+i) + 0.5) * scale)
		lo := max(int(center-support+0.5), 0)
		hi := min(int(center+support+0.5), s.in)
		w := weights[:hi-lo]
		for j := range w {
			w[j] = k.at(float64((float64(j+lo) - center + 0.5) * inverse))
		}
		windows[i] = csrc.Window{Lo: lo, Weights: room[:len(w):len(w)]}
		room = room[len(w):]
		fixed(windows[i].Weights, w)
	}
	return windows
}

// windowRoom is the most weights that a window of the given support has, each side counted.
func windowRoom(support float64) int { return 2*int(math.Ceil(support)) + 1 }

// fixed normalises weights to a sum of one and rounds them to integers.
func fixed(out []int32, w []float64) {
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	for i, v := range w {
		if sum != 0 {
			v /= sum
		}
		v = float64(v * (1 << csrc.RoundBits))
		if v < 0 {
			out[i] = int32(v - 0.5)
		} else {
			out[i] = int32(v + 0.5)
		}
	}
}

var one = []int32{1 << csrc.RoundBits}

// same leaves a side as it is: Pillow skips the pass.
func same(s side) []csrc.Window {
	windows := make([]csrc.Window, s.count)
	for i := range windows {
		windows[i] = csrc.Window{Lo: s.first + i, Weights: one}
	}
	return windows
}

// nearest is Pillow's NEAREST, an affine transform (Geometry.c ImagingScaleAffine): the source position is summed up
// step by step, which rounds differently from multiplying.
func nearest(s side) []csrc.Window {
	step := float64(float32(s.in)) / float64(s.out)
	at := float64(step * 0.5)
	windows := make([]csrc.Window, 0, s.count)
	for i := range s.first + s.count {
		if i >= s.first {
			windows = append(windows, csrc.Window{Lo: min(int(at), s.in-1), Weights: one})
		}
		at += step
	}
	return windows
}
