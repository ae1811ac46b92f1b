//go:build cuda && cgo && linux

package csrc_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/csrc/gold"
	"github.com/imgvec/imgvec/internal/kernelrun"
)

// guard is how many bytes before and behind a kernel's output must stay as they are.
const guard = 64

// untouched is memory for a kernel's output of n bytes, which begins shift bytes behind the guard.
func untouched(n, shift int) []byte { return bytes.Repeat([]byte{0xa5}, n+shift+2*guard) }

// compare tells whether the output is want and all around it is whole.
func compare(t *testing.T, what string, got, want []byte, shift int) {
	t.Helper()
	whole := untouched(len(want), shift)
	copy(whole[guard+shift:], want)
	for i := range whole {
		if got[i] != whole[i] {
			t.Fatalf("%s: byte %d of %d is %#x, want %#x", what, i-guard-shift, len(want), got[i], whole[i])
		}
	}
}

func noise(seed uint64, n int) []uint8 {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]uint8, n)
	for i := range b {
		b[i] = uint8(r.Uint32())
	}
	return b
}

func imageNetTable() [3][256]float32 {
	return imgvec.Preset{Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd}.Table()
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// normalizeCase runs one normalize kernel and compares it with gold. odd shifts source and output off their alignment, by
// one element.
func normalizeCase[T gold.Element](t *testing.T, m *kernelrun.Machine, dtype imgvec.DType, table *[3][256]T, s gold.Shape, odd bool) {
	t.Helper()
	src := noise(uint64(s.Len()), s.N*s.Pixels*3+1) // one more than is used: memory is never empty
	want := kernelrun.Bytes(gold.Normalize(src, table, s))
	shift := 0
	if odd {
		shift = len(kernelrun.Bytes(table[0][:1]))
	}
	from := m.Put(append(make([]byte, shift), src...))
	to := m.Put(untouched(len(want), shift))
	tables := m.Put(slices.Concat(kernelrun.Bytes(table[0][:]), kernelrun.Bytes(table[1][:]), kernelrun.Bytes(table[2][:])))
	kernel := csrc.NormalizeKernel(s.Layout, dtype)
	m.Run(csrc.Launch{Kernel: kernel, Work: int64(s.N * s.Pixels), Args: []uint64{to + guard + uint64(shift), from + uint64(shift), tables,
		uint64(s.N), uint64(s.Pixels), uint64(s.Channels), flag(s.BGR)}})
	compare(t, fmt.Sprintf("%s %+v odd=%v grid=%d", kernel, s, odd, m.Grid), m.Get(to), want, shift)
	m.Free()
}

// TestNormalizeKernels: every kernel, whole vectors and odd numbers, padding channels, no work at all, any grid.
func TestNormalizeKernels(t *testing.T) {
	m := kernelrun.New(t)
	table := imageNetTable()
	half, same := gold.Half(table), gold.Same()
	for _, pixels := range []int{0, 1, 3, 4, 8, 15, 16, 31, 48, 35 * 37, 64 * 64} {
		for _, n := range []int{0, 1, 2, 3} {
			for _, channels := range []int{3, 4, 5, 8} {
				for turn := range 8 {
					s := gold.Shape{Layout: imgvec.NCHW, N: n, Pixels: pixels, Channels: channels, BGR: turn&1 != 0}
					if turn&2 != 0 {
						s.Layout = imgvec.NHWC
					}
					m.Grid = 3 * (turn >> 2)
					odd := (pixels+n)%3 == 1
					normalizeCase(t, m, imgvec.Float32, &table, s, odd)
					normalizeCase(t, m, imgvec.Float16, &half, s, odd)
					normalizeCase(t, m, imgvec.Uint8, &same, s, odd)
				}
			}
		}
	}
}

// TestConvertKernel compares every half, in whole vectors and not.
func TestConvertKernel(t *testing.T) {
	m := kernelrun.New(t)
	halves := make([]uint16, 1<<16)
	for i := range halves {
		halves[i] = uint16(i)
	}
	for _, from := range []int{0, 1} {
		for _, count := range []int{0, 1, 3, 4, 7, 1<<16 - 1} {
			src := m.Put(kernelrun.Bytes(halves))
			want := kernelrun.Bytes(gold.ConvertF16(halves[from : from+count]))
			dst := m.Put(untouched(len(want), 0))
			m.Run(csrc.Launch{Kernel: csrc.ConvertF16, Work: int64(count), Args: []uint64{dst + guard, src + uint64(from*2), uint64(count)}})
			compare(t, fmt.Sprintf("%d halves from %d", count, from), m.Get(dst), want, 0)
			m.Free()
		}
	}
}

// TestL2NormKernels: vectors of every length around the block's, zero rows, numbers whose squares leave float32.
func TestL2NormKernels(t *testing.T) {
	m := kernelrun.New(t)
	r := rand.New(rand.NewPCG(4, 4))
	for _, dim := range []int{1, 2, 3, 4, 5, 7, 127, 128, 511, 512, 513, 768, 1000, 2048} {
		const rows = 5
		halves := make([]uint16, rows*dim)
		for i := range halves {
			halves[i] = csrc.Float16(float32(r.NormFloat64()))
			if i/dim == 1 {
				halves[i] = uint16(i%2) << 15 // zeros of either sign
			}
		}
		single := gold.ConvertF16(halves)
		want := gold.L2Norm(single, dim)
		for _, grid := range []int{0, 2} {
			m.Grid = grid
			checkL2Norm(t, m, csrc.L2NormF16, kernelrun.Bytes(halves), want, dim)
			checkL2Norm(t, m, csrc.L2NormF32, kernelrun.Bytes(single), want, dim)
		}
		for i := range single {
			single[i] = float32(r.NormFloat64() * math.Pow(10, float64(i/dim*15-30)))
		}
		checkL2Norm(t, m, csrc.L2NormF32, kernelrun.Bytes(single), gold.L2Norm(single, dim), dim)
		checkInPlace(t, m, single, dim)
	}
}

func checkL2Norm(t *testing.T, m *kernelrun.Machine, kernel string, src []byte, want []float32, dim int) {
	t.Helper()
	rows, size := len(want)/dim, len(src)/len(want)
	for _, shift := range [][2]int{{0, 0}, {4, 0}, {0, size}} { // of output and source: off a vector's alignment
		from, to := m.Put(append(make([]byte, shift[1]), src...)), m.Put(untouched(len(want)*4, shift[0]))
		m.Run(csrc.Launch{Kernel: kernel, Work: int64(rows), Args: []uint64{to + guard + uint64(shift[0]), from + uint64(shift[1]), uint64(rows), uint64(dim)}})
		compare(t, fmt.Sprintf("%s, dim %d, shifted %v", kernel, dim, shift), m.Get(to), kernelrun.Bytes(want), shift[0])
		m.Free()
	}
}

func checkInPlace(t *testing.T, m *kernelrun.Machine, v []float32, dim int) {
	t.Helper()
	at := m.Put(kernelrun.Bytes(v))
	m.Run(csrc.Launch{Kernel: csrc.L2NormF32, Work: int64(len(v) / dim), Args: []uint64{at, at, uint64(len(v) / dim), uint64(dim)}})
	if !bytes.Equal(m.Get(at), kernelrun.Bytes(gold.L2Norm(v, dim))) {
		t.Errorf("dim %d, in place: other bytes", dim)
	}
	m.Free()
}

// TestL2NormIsNearTheSequentialSum: the order of the additions may show in the last place and nowhere else.
func TestL2NormIsNearTheSequentialSum(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	v := make([]float32, 2048)
	var sum float64
	for i := range v {
		v[i] = float32(r.NormFloat64())
		sum += float64(v[i]) * float64(v[i])
	}
	for i, got := range gold.L2Norm(v, len(v)) {
		want := float32(float64(v[i]) * (1 / math.Sqrt(sum)))
		if d := int64(math.Float32bits(got)) - int64(math.Float32bits(want)); d < -1 || d > 1 {
			t.Fatalf("element %d is %v, want %v", i, got, want)
		}
	}
}
