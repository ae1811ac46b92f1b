package csrc

import (
	"fmt"
	"slices"
	"unsafe"
)

// RoundBits is the number of fraction bits in a weight, as in Pillow's 8-bit resample.
const RoundBits = 22

// Window says which source pixels make one output pixel: Weights[i] belongs to source pixel Lo+i.
type Window struct {
	Lo      int
	Weights []int32 // RoundBits fraction bits; at least one
}

// Axis is one axis of a resize, packed for every variant of the loops. It does not change once made, and is safe for
// concurrent use.
type Axis struct {
	words   []uint64 // the memory of imgvec_axis and its arrays
	windows []Window
	first   int // source pixels used: [first, last)
	last    int
	taps    int // the longest window
}

// axisHeader is imgvec_axis of imgvec.h.
type axisHeader struct {
	count, taps, first, last, groups int32
	lo, n, k, k16, k8                int32
}

// NewAxis packs the windows of an axis' output pixels, in their order. Weights are in (-2^23, 2^23).
func NewAxis(windows []Window) *Axis {
	if len(windows) == 0 {
		panic("imgvec: BUG: axis without output")
	}
	a := &Axis{windows: windows, first: windows[0].Lo}
	for _, w := range windows {
		if w.Lo < 0 || len(w.Weights) == 0 {
			panic(fmt.Sprintf("imgvec: BUG: window of %d weights at %d", len(w.Weights), w.Lo))
		}
		a.first = min(a.first, w.Lo)
		a.last = max(a.last, w.Lo+len(w.Weights))
		a.taps = max(a.taps, len(w.Weights))
	}
	a.pack()
	return a
}

// Count is the number of output pixels.
func (a *Axis) Count() int { return len(a.windows) }

// Source is the range of source pixels that the axis uses.
func (a *Axis) Source() (first, last int) { return a.first, a.last }

// Bytes is the memory that the axis takes.
func (a *Axis) Bytes() int64 {
	return Shape{Count: len(a.windows), Taps: a.taps}.Bytes()
}

// Mirrored is the axis that makes the same output of the mirrored source of the given length. backwards puts the output in
// reverse order too, that is in the order of the mirrored source.
func (a *Axis) Mirrored(source int, backwards bool) *Axis {
	mirrored := make([]Window, len(a.windows))
	for i, w := range a.windows {
		weights := slices.Clone(w.Weights)
		slices.Reverse(weights)
		mirrored[i] = Window{Lo: source - w.Lo - len(w.Weights), Weights: weights}
	}
	if backwards {
		slices.Reverse(mirrored)
	}
	return NewAxis(mirrored)
}

func (a *Axis) pack() {
	h, size := layout(len(a.windows), a.taps)
	h.first, h.last = int32(a.first), int32(a.last)
	count, groups := len(a.windows), int(h.groups)
	if size > 1<<31-1 {
		panic("imgvec: BUG: axis over 2 GiB")
	}
	a.words = make([]uint64, size/8)
	base := unsafe.Pointer(&a.words[0])
	*(*axisHeader)(base) = h
	lo, n := array[int32](base, h.lo, count), array[int32](base, h.n, count)
	k, k16 := array[int32](base, h.k, count*a.taps), array[int16](base, h.k16, count*groups*8)
	k8 := array[int8](base, h.k8, (count+3)/4*groups*48)
	for i, w := range a.windows {
		lo[i], n[i] = int32(w.Lo), int32(len(w.Weights))
		copy(k[i*a.taps:], w.Weights)
		for j, v := range w.Weights {
			at := (i*groups+j/4)*8 + j%4
			k16[at], k16[at+4] = int16(v>>11), int16(v&0x7ff)
			packDigits(k8[(i/4*groups+j/4)*48+i%4*4+j%4:], v)
		}
	}
}

// packDigits splits a weight into three signed bytes, 16 apart.
func packDigits(k8 []int8, v int32) {
	d0 := int8(v)
	v = (v - int32(d0)) >> 8
	d1 := int8(v)
	k8[0], k8[16], k8[32] = d0, d1, int8((v-int32(d1))>>8)
}

func array[T int8 | int16 | int32](base unsafe.Pointer, offset int32, n int) []T {
	return unsafe.Slice((*T)(unsafe.Add(base, offset)), n)
}
