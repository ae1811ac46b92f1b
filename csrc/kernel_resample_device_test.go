//go:build cuda && cgo && linux

package csrc_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/csrc/gold"
	"github.com/imgvec/imgvec/internal/kernelrun"
)

// picture is one case of a resize: a source, a plan, a model's input and where in it the result goes.
type picture struct {
	src   csrc.Pixels
	shift int // bytes from a multiple of 256 to the source's first
	plan  csrc.Plan
	dst   csrc.DeviceInput
}

func (p picture) String() string {
	return fmt.Sprintf("%dx%d stride %d step %d shift %d -> %dx%d, rows first %v, transpose %v, flip %v, %s %s of %dx%dx%d from %d, BGR %v",
		p.src.Width, p.src.Height, p.src.Stride, p.src.Step, p.shift, p.plan.X.Count(), p.plan.Y.Count(), p.plan.RowsFirst, p.plan.Transpose,
		p.plan.FlipY, p.dst.DType, p.dst.Layout, p.dst.Height, p.dst.Width, p.dst.Channels, p.dst.At, p.dst.BGR)
}

// checkPasses runs both passes and compares the whole input with gold.
func checkPasses[T gold.Element](t *testing.T, m *kernelrun.Machine, p picture, table *[3][256]T) {
	t.Helper()
	shape := gold.Shape{Layout: p.dst.Layout, N: 1, Pixels: p.dst.Height * p.dst.Width, Channels: p.dst.Channels, BGR: p.dst.BGR}
	size := int(unsafe.Sizeof(table[0][0]))
	want := untouched(shape.Len()*size, 0)
	if err := gold.Resample(elements[T](want[guard:], shape.Len()), p.plan, p.src, table, shape, p.dst.Width, p.dst.At); err != nil {
		t.Fatal(err)
	}
	to := m.Put(untouched(shape.Len()*size, 0))
	p.dst.Addr = to + guard
	p.dst.Table = m.Put(slices.Concat(kernelrun.Bytes(table[0][:]), kernelrun.Bytes(table[1][:]), kernelrun.Bytes(table[2][:])))
	from := csrc.DevicePixels{Addr: m.Put(append(make([]byte, p.shift), p.src.Pix...)) + uint64(p.shift), Stride: p.src.Stride, Step: p.src.Step}
	x, y := m.Put(kernelrun.Bytes(p.plan.X.Words())), m.Put(kernelrun.Bytes(p.plan.Y.Words()))
	between := m.Put(bytes.Repeat([]byte{0x5a}, int(p.plan.PassBytes(p.src.Step))))
	for _, launch := range p.plan.Passes(from, x, y, between, p.dst) {
		m.Run(launch)
	}
	got := m.Get(to)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s, grid %d: byte %d is %#x, want %#x", p, m.Grid, i-guard, got[i], want[i])
		}
	}
	m.Free()
}

func elements[T gold.Element](b []byte, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}

// randomPicture draws a case. most is the longest side.
func randomPicture(r *rand.Rand, seed uint64, most int) picture {
	var p picture
	s := &p.src
	s.Width, s.Height, s.Step = 1+r.IntN(most), 1+r.IntN(min(most, 300)), 3+r.IntN(2)
	s.Stride = s.Width * s.Step
	switch r.IntN(3) {
	case 0:
		s.Stride += r.IntN(9)
	case 1: // aligned, the fast way
		s.Stride = (s.Stride + 15) &^ 15
	}
	p.shift = r.IntN(2) * r.IntN(20)
	s.Pix = noise(seed, (s.Height-1)*s.Stride+s.Width*s.Step)
	p.plan = csrc.Plan{RowsFirst: r.IntN(2) == 0, Transpose: r.IntN(3) == 0, FlipY: r.IntN(3) == 0,
		X: csrc.RandomAxis(r, s.Width, 1+r.IntN(100)), Y: csrc.RandomAxis(r, s.Height, 1+r.IntN(50))}
	if r.IntN(3) == 0 {
		p.plan.X = p.plan.X.Mirrored(s.Width, false)
	}
	rows, columns := p.plan.Y.Count(), p.plan.X.Count()
	if p.plan.Transpose {
		rows, columns = columns, rows
	}
	top, left := r.IntN(2)*r.IntN(5), r.IntN(2)*r.IntN(5)
	p.dst = csrc.DeviceInput{Height: top + rows + r.IntN(2)*r.IntN(4), Width: left + columns + r.IntN(2)*r.IntN(4), Channels: 3 + r.IntN(2)*r.IntN(3), BGR: r.IntN(2) == 0}
	p.dst.At = top*p.dst.Width + left
	return p
}

// TestResampleKernels holds both passes, in either order, against the plain-Go resize: random sizes, steps, strides,
// alignments, windows, turns, padding, layouts.
func TestResampleKernels(t *testing.T) {
	m := kernelrun.New(t)
	table := imageNetTable()
	half := gold.Half(table)
	r := rand.New(rand.NewPCG(8, 8))
	for round := range 400 {
		p := randomPicture(r, uint64(round), 1<<(1+round%11))
		m.Grid = round % 3
		for _, p.dst.Layout = range []imgvec.Layout{imgvec.NCHW, imgvec.NHWC} {
			p.dst.DType = imgvec.Float32
			checkPasses(t, m, p, &table)
			p.dst.DType = imgvec.Float16
			checkPasses(t, m, p, &half)
		}
	}
}

// TestResampleKernelsOfLongRows: windows and tiles longer than what the h pass keeps in shared memory at once.
func TestResampleKernelsOfLongRows(t *testing.T) {
	m := kernelrun.New(t)
	table := imageNetTable()
	r := rand.New(rand.NewPCG(9, 9))
	for i, width := range []int{417, 1000, 5000, 30011} {
		for _, count := range []int{1, 33} {
			for step := 3; step <= 4; step++ {
				src := csrc.Pixels{Width: width, Height: 5, Step: step, Stride: (width*step + 3) &^ 3, Pix: noise(uint64(i), 5*(width*step+3))}
				p := picture{src: src, plan: csrc.Plan{RowsFirst: count == 1, X: csrc.RandomAxis(r, width, count), Y: csrc.RandomAxis(r, 5, 4)},
					dst: csrc.DeviceInput{Height: 4, Width: count, Channels: 3, DType: imgvec.Float32, Layout: imgvec.NCHW}}
				checkPasses(t, m, p, &table)
			}
		}
	}
}

// TestResampleKernelsAtTheEnds drives sums over 255 and below 0.
func TestResampleKernelsAtTheEnds(t *testing.T) {
	m := kernelrun.New(t)
	table := imageNetTable()
	axis := csrc.NewAxis([]csrc.Window{{Weights: []int32{5 << 20, -1 << 20}}, {Weights: []int32{-1 << 21, 6 << 20, 3 << 20}},
		{Lo: 1, Weights: []int32{-1 << 22, 1 << 20}}, {Lo: 2, Weights: []int32{1<<23 - 1, 1}}})
	for _, fill := range []uint8{0, 1, 128, 255} {
		for _, rowsFirst := range []bool{false, true} {
			p := picture{src: csrc.Pixels{Pix: bytes.Repeat([]byte{fill}, 36), Width: 4, Height: 3, Stride: 12, Step: 3},
				plan: csrc.Plan{X: axis, Y: csrc.NewAxis([]csrc.Window{{Weights: []int32{7 << 20, -3 << 20}}, {Lo: 2, Weights: []int32{1 << 22}}}), RowsFirst: rowsFirst},
				dst:  csrc.DeviceInput{Height: 2, Width: 4, Channels: 3, DType: imgvec.Float32, Layout: imgvec.NCHW}}
			checkPasses(t, m, p, &table)
		}
	}
}
