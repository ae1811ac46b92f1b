package tiny

import (
	"math"

	"github.com/imgvec/imgvec"
)

// Features is what a model of this package computes for one image ([Size, Size, 3] RGB), in float64 and plain loops.
func Features(spec imgvec.Spec, image []uint8) []float64 {
	size := spec.Preset.InputSize.Width
	table := spec.Preset.Table()
	at := func(channel, y, x int) float64 {
		if spec.Preset.ChannelOrder == imgvec.BGR {
			channel = 2 - channel
		}
		v := image[(y*size+x)*3+channel]
		if spec.DType == imgvec.Uint8 {
			return float64(v)
		}
		return float64(table[channel][v])
	}
	planes := make([]float64, 3*size*size)
	for c := range 3 {
		for y := range size {
			for x := range size {
				planes[(c*size+y)*size+x] = at(c, y, x)
			}
		}
	}
	features := make([]float64, Dim)
	out := (size-3)/2 + 1
	for f := range features {
		for y := range out {
			for x := range out {
				features[f] += math.Max(0, convolve(planes, size, f, 2*y, 2*x))
			}
		}
		features[f] /= float64(out * out)
	}
	return features
}

func convolve(planes []float64, size, feature, y, x int) float64 {
	sum := 0.0
	for c := range 3 {
		for ky := range 3 {
			for kx := range 3 {
				sum += planes[(c*size+y+ky)*size+x+kx] * weight(((feature*3+c)*3+ky)*3+kx)
			}
		}
	}
	return sum
}

// weight is the i-th of the kernel, [Dim, 3, 3, 3].
func weight(i int) float64 { return float64(level(i)) / 64 }

func level(i int) int8 { return int8(i*7919%201 - 100) }
