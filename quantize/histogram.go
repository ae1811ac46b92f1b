package quantize

import (
	"fmt"
	"math"

	"github.com/imgvec/imgvec/internal/onnx"
)

// bins is the resolution of a histogram, from -radius to radius.
const bins = 8192

// histogram counts the values of a tensor over all images in one pass: where a value lies outside, the radius doubles and
// neighbours are counted together.
type histogram struct {
	low, high float32
	radius    float32 // a power of two
	count     [bins]int64
	total     int64
}

// add counts values. It fails where one is no number.
func (h *histogram) add(values []float32) error {
	low, high := float32(0), float32(0)
	for _, v := range values {
		low, high = min(low, v), max(high, v) // NaN if one is
	}
	most := max(-low, high)
	if math.IsNaN(float64(most)) || math.IsInf(float64(most), 0) {
		return fmt.Errorf("the float model computes numbers that are none")
	}
	h.low, h.high = min(h.low, low), max(h.high, high)
	h.cover(most)
	scale := bins / 2 / h.radius
	for _, v := range values {
		h.count[min(bins-1, int(v*scale+bins/2))]++
	}
	h.total += int64(len(values))
	return nil
}

// cover makes the radius at least most.
func (h *histogram) cover(most float32) {
	if h.radius == 0 {
		_, exp := math.Frexp(max(float64(most), 1e-9))
		h.radius = float32(math.Ldexp(1, exp))
	}
	for h.radius < most {
		var wide [bins]int64
		for i, n := range h.count {
			wide[bins/4+i/2] += n
		}
		h.count = wide
		h.radius *= 2
	}
}

// at is the value in the middle of a bin.
func (h *histogram) at(bin int) float64 {
	return (float64(bin) + 0.5 - bins/2) * float64(h.radius) / (bins / 2)
}

// minMax is the range of all values that were seen.
func (h *histogram) minMax() onnx.Range { return onnx.Range{Min: h.low, Max: h.high} }

// percentile cuts the share 1-p of the values off at either end.
func (h *histogram) percentile(p float64) onnx.Range {
	most := int64(math.Floor(float64(h.total) * (1 - p)))
	low, high := 0, bins-1
	for n := int64(0); low < bins/2; low++ {
		if n += h.count[low]; n > most {
			break
		}
	}
	for n := int64(0); high >= bins/2; high-- {
		if n += h.count[high]; n > most {
			break
		}
	}
	width := h.radius / (bins / 2)
	r := onnx.Range{Min: float32(h.at(low)) - width/2, Max: float32(h.at(high)) + width/2}
	return onnx.Range{Min: max(h.low, min(0, r.Min)), Max: min(h.high, max(0, r.Max))}
}

// leastError is the range, a part of minMax on both sides, with the least mean squared error: the steps' and that of what is
// cut off.
func (h *histogram) leastError() onnx.Range {
	best, least := h.minMax(), math.Inf(1)
	for part := 100; part >= 20; part -= 4 {
		r := onnx.Range{Min: h.low * float32(part) / 100, Max: h.high * float32(part) / 100}
		if e := h.noise(r); e < least {
			best, least = r, e
		}
	}
	return best
}

// noise is the squared error of all values in 256 steps over a range.
func (h *histogram) noise(r onnx.Range) float64 {
	step := (float64(r.Max) - float64(r.Min)) / 255
	sum := 0.0
	for i, n := range h.count {
		if n == 0 || i == bins/2 { // zero is exact
			continue
		}
		v := h.at(i)
		switch {
		case v < float64(r.Min):
			v -= float64(r.Min)
			sum += float64(n) * v * v
		case v > float64(r.Max):
			v -= float64(r.Max)
			sum += float64(n) * v * v
		default:
			sum += float64(n) * step * step / 12
		}
	}
	return sum
}

// power is the sum of all values' squares.
func (h *histogram) power() float64 {
	sum := 0.0
	for i, n := range h.count {
		if n > 0 && i != bins/2 { // zeros, which ReLU makes many of, lie at the edge of that one
			sum += float64(n) * h.at(i) * h.at(i)
		}
	}
	return sum
}
