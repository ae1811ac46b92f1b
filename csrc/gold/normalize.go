package gold

import (
	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/float16"
)

// Element is what a model's input is made of: float32, the bits of a half, or uint8.
type Element interface{ float32 | uint16 | uint8 }

// Shape is that of a model's input: n pictures of so many pixels and channels.
type Shape struct {
	Layout              imgvec.Layout
	N, Pixels, Channels int
	BGR                 bool
}

// Len is the number of elements.
func (s Shape) Len() int { return s.N * s.Pixels * s.Channels }

// at is where the element of a picture, a pixel and a channel lies.
func (s Shape) at(picture, pixel, channel int) int {
	if s.Layout == imgvec.NCHW {
		return (picture*s.Channels+channel)*s.Pixels + pixel
	}
	return (picture*s.Pixels+pixel)*s.Channels + channel
}

// Normalize is the normalize kernels: each byte of src, [n][pixels][3] RGB, looked up; channels from the fourth on are 0.
func Normalize[T Element](src []uint8, table *[3][256]T, s Shape) []T {
	dst := make([]T, s.Len())
	for picture := range s.N {
		for pixel := range s.Pixels {
			for c := range 3 {
				to := c
				if s.BGR {
					to = 2 - c
				}
				dst[s.at(picture, pixel, to)] = table[c][src[(picture*s.Pixels+pixel)*3+c]]
			}
		}
	}
	return dst
}

// Half is a table with each value as the bits of the half nearest to it.
func Half(table [3][256]float32) (half [3][256]uint16) {
	for c := range table {
		for v, f := range table[c] {
			half[c][v] = float16.From(f)
		}
	}
	return half
}

// Same is the table of a model that takes uint8.
func Same() (table [3][256]uint8) {
	for c := range table {
		for v := range table[c] {
			table[c][v] = uint8(v)
		}
	}
	return table
}

// Resample is the two passes and the normalisation: the plain-Go resize, which is proven equal to Pillow, then Normalize.
// The resize goes into dst, a model's input of one picture, height x width pixels, from pixel at on.
func Resample[T Element](dst []T, plan csrc.Plan, src csrc.Pixels, table *[3][256]T, s Shape, width, at int) error {
	w, err := csrc.NewWorker()
	if err != nil {
		return err
	}
	defer w.Close()
	rows, columns := plan.Y.Count(), plan.X.Count()
	if plan.Transpose {
		rows, columns = columns, rows
	}
	plan.Level, plan.Stride = csrc.Go, columns*3
	pixels := make([]uint8, rows*columns*3)
	if err := w.Resample(plan, src, pixels); err != nil {
		return err
	}
	crop := Shape{Layout: s.Layout, N: 1, Pixels: rows * columns, Channels: s.Channels, BGR: s.BGR}
	for i, v := range Normalize(pixels, table, crop) {
		pixel, channel := i%crop.Pixels, i/crop.Pixels
		if s.Layout == imgvec.NHWC {
			pixel, channel = i/s.Channels, i%s.Channels
		}
		dst[s.at(0, at+pixel/columns*width+pixel%columns, channel)] = v
	}
	return nil
}
