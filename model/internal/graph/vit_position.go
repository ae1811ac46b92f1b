package graph

import "math"

// positionRule is how a reference takes a position embedding to another grid.
type positionRule struct {
	antialias bool    // as torch's antialias=True: a = -0.5, the filter widened where it shrinks; else a = -0.75, four taps
	offset    float64 // DINOv2's own: the scale is (grid + offset) / old grid, of which only the sampling points feel
}

// positionTap is the share of one old row in a new one.
type positionTap struct {
	at     int
	weight float64
}

// resample takes the rows of a grid of old x old positions, width values each, to size x size, bicubically.
func (r positionRule) resample(rows []float32, old, size, width int) []float32 {
	taps := make([][]positionTap, size)
	for i := range taps {
		if r.antialias {
			taps[i] = smoothTaps(i, old, size)
		} else {
			taps[i] = cubicTaps(i, old, size, r.offset)
		}
	}
	half := make([]float64, old*size*width) // [old y][new x]
	for y := range old {
		for x := range size {
			to := half[(y*size+x)*width:][:width]
			for _, tap := range taps[x] {
				from := rows[(y*old+tap.at)*width:][:width]
				for i, v := range from {
					to[i] += tap.weight * float64(v)
				}
			}
		}
	}
	out := make([]float32, size*size*width)
	sum := make([]float64, size*width)
	for y := range size {
		clear(sum)
		for _, tap := range taps[y] {
			from := half[tap.at*size*width:][:size*width]
			for i, v := range from {
				sum[i] += tap.weight * v
			}
		}
		for i, v := range sum {
			out[y*size*width+i] = float32(v)
		}
	}
	return out
}

// cubicTaps are the four taps of torch's bicubic interpolation (a = -0.75, pixels' centres at a half, edges repeated).
func cubicTaps(i, old, size int, offset float64) []positionTap {
	at := (float64(i)+0.5)*float64(old)/(float64(size)+offset) - 0.5
	first := math.Floor(at)
	taps := make([]positionTap, 4)
	for k := range taps {
		row := first + float64(k-1)
		taps[k] = positionTap{min(max(int(row), 0), old-1), cubic(at-row, -0.75)}
	}
	return taps
}

// smoothTaps are those of torch's antialiased one, which is Pillow's.
func smoothTaps(i, old, size int) []positionTap {
	scale := float64(old) / float64(size)
	wide := max(scale, 1)
	centre := scale * (float64(i) + 0.5)
	from := max(int(centre-2*wide+0.5), 0)
	to := min(int(centre+2*wide+0.5), old)
	taps := make([]positionTap, 0, to-from)
	sum := 0.0
	for row := from; row < to; row++ {
		w := cubic((float64(row)-centre+0.5)/wide, -0.5)
		taps = append(taps, positionTap{row, w})
		sum += w
	}
	for k := range taps {
		taps[k].weight /= sum
	}
	return taps
}

// cubic is Keys' convolution kernel.
func cubic(x, a float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}
