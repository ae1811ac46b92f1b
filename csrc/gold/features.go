package gold

import (
	"math"

	"github.com/imgvec/imgvec/internal/float16"
)

// ConvertF16 is convert_f16_to_f32.
func ConvertF16(src []uint16) []float32 {
	dst := make([]float32, len(src))
	for i, h := range src {
		dst[i] = float16.To(h)
	}
	return dst
}

// lanes is how many partial sums l2norm keeps.
const lanes = 128

// L2Norm is the l2norm kernels: rows of dim elements, each scaled to length 1. The sum of squares is made of 128 partial
// sums, of which number i takes every 128th group of four elements from the ith on, added up by halves. A row of length
// 0 stays as it is.
func L2Norm(src []float32, dim int) []float32 {
	dst := make([]float32, len(src))
	for from := 0; from < len(src); from += dim {
		row := src[from : from+dim]
		var part [lanes]float64
		for i, x := range row {
			part[i/4%lanes] += float64(float64(x) * float64(x))
		}
		for half := lanes / 2; half > 0; half /= 2 {
			for i := range half {
				part[i] += part[i+half]
			}
		}
		scale := 1.0
		if part[0] != 0 {
			scale = 1 / math.Sqrt(part[0])
		}
		for i, x := range row {
			dst[from+i] = float32(float64(x) * scale)
		}
	}
	return dst
}
