//go:build cuda && cgo && linux

package csrc_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/csrc/gold"
	"github.com/imgvec/imgvec/internal/kernelrun"
)

// same is an axis that keeps n pixels as they are.
func same(n int) *csrc.Axis {
	windows := make([]csrc.Window, n)
	for i := range windows {
		windows[i] = csrc.Window{Lo: i, Weights: []int32{1 << csrc.RoundBits}}
	}
	return csrc.NewAxis(windows)
}

// TestOnePass runs each pass by itself, as Passes does not: its source and its output lie anywhere, and a first pass down
// the columns keeps four bytes a pixel.
func TestOnePass(t *testing.T) {
	m := kernelrun.New(t)
	table := imageNetTable()
	half := gold.Half(table)
	r := rand.New(rand.NewPCG(3, 3))
	for round := range 60 {
		p := randomPicture(r, uint64(round), 1<<(1+round%9))
		p.plan.RowsFirst, p.plan.Transpose, p.plan.FlipY = false, false, false
		m.Grid = round % 2
		for _, along := range []string{"h", "v"} {
			one := p
			if along == "h" {
				one.plan.Y = same(p.src.Height)
			} else {
				one.plan.X = same(p.src.Width)
			}
			one.dst = csrc.DeviceInput{Height: one.plan.Y.Count(), Width: one.plan.X.Count(), Channels: 3 + round%2, BGR: round%3 == 0}
			checkBytesPass(t, m, one, along, r.IntN(2)*r.IntN(17))
			for _, one.dst.Layout = range []imgvec.Layout{imgvec.NCHW, imgvec.NHWC} {
				one.dst.DType = imgvec.Float32
				checkLastPass(t, m, one, along, &table)
				one.dst.DType = imgvec.Float16
				checkLastPass(t, m, one, along, &half)
			}
		}
	}
}

// pass is the axis, and the number of lines, that a pass works along.
func (p picture) pass(along string) (axis *csrc.Axis, lines int) {
	if along == "h" {
		return p.plan.X, p.src.Height
	}
	return p.plan.Y, p.src.Width
}

func checkLastPass[T gold.Element](t *testing.T, m *kernelrun.Machine, p picture, along string, table *[3][256]T) {
	t.Helper()
	axis, lines := p.pass(along)
	shape := gold.Shape{Layout: p.dst.Layout, N: 1, Pixels: p.dst.Height * p.dst.Width, Channels: p.dst.Channels, BGR: p.dst.BGR}
	want := make([]T, shape.Len())
	if err := gold.Resample(want, p.plan, p.src, table, shape, p.dst.Width, 0); err != nil {
		t.Fatal(err)
	}
	kernel := "resample_" + along + csrc.NormalizeKernel(p.dst.Layout, p.dst.DType)[len("normalize"):]
	to, tables := m.Put(untouched(len(kernelrun.Bytes(want)), 0)), m.Put(kernelrun.Bytes(slices.Concat(table[0][:], table[1][:], table[2][:])))
	m.Run(csrc.Launch{Kernel: kernel, Work: int64(shape.Pixels), Args: []uint64{to + guard, p.put(m), m.Put(kernelrun.Bytes(axis.Words())), tables,
		uint64(p.src.Stride), uint64(p.src.Step), 0, uint64(lines), uint64(p.dst.Width), uint64(shape.Pixels), uint64(shape.Channels), flag(p.dst.BGR)}})
	compare(t, fmt.Sprintf("%s: %s", kernel, p), m.Get(to), kernelrun.Bytes(want), 0)
	m.Free()
}

// put copies the source to the device and tells its address.
func (p picture) put(m *kernelrun.Machine) uint64 {
	return m.Put(append(make([]byte, p.shift), p.src.Pix...)) + uint64(p.shift)
}

// checkBytesPass: the output's rows are pad bytes longer than their pixels, and what is between them stays.
func checkBytesPass(t *testing.T, m *kernelrun.Machine, p picture, along string, pad int) {
	t.Helper()
	axis, lines := p.pass(along)
	step := 3
	if along == "v" {
		step = p.src.Step
	}
	stride := p.dst.Width*step + pad
	want := untouched(p.dst.Height*stride, 0)
	for y := range p.dst.Height {
		for x := range p.dst.Width {
			for c := range step {
				want[guard+y*stride+x*step+c] = onePixel(p, along, x, y, c)
			}
		}
	}
	kernel := "resample_" + along + "_u8nhwc_to_u8nhwc"
	to := m.Put(untouched(p.dst.Height*stride, 0))
	m.Run(csrc.Launch{Kernel: kernel, Work: int64(p.dst.Height * p.dst.Width), Args: []uint64{to + guard, p.put(m), m.Put(kernelrun.Bytes(axis.Words())),
		uint64(stride), uint64(p.src.Stride), uint64(p.src.Step), 0, uint64(lines)}})
	compare(t, fmt.Sprintf("%s: %s, pad %d", kernel, p, pad), m.Get(to), want[guard:len(want)-guard], 0)
	m.Free()
}

// onePixel is byte c of pixel x, y of what the pass makes, by the definition.
func onePixel(p picture, along string, x, y, c int) uint8 {
	axis, i := p.plan.X, x
	if along == "v" {
		axis, i = p.plan.Y, y
	}
	sum := int64(1) << (csrc.RoundBits - 1)
	for j, k := range csrc.Weights(axis, i) {
		at := y*p.src.Stride + (csrc.Lo(axis, i)+j)*p.src.Step
		if along == "v" {
			at = (csrc.Lo(axis, i)+j)*p.src.Stride + x*p.src.Step
		}
		sum += int64(k) * int64(p.src.Pix[at+c])
	}
	return uint8(min(max(sum>>csrc.RoundBits, 0), 255))
}
