package csrc

import "unsafe"

// Shape is what the memory of an axis depends on, known before the axis is made.
type Shape struct {
	Count int // output pixels
	Taps  int // the longest window, or a number that it does not exceed
	Used  int // source pixels from the first used to the last, or a number that they do not exceed
}

// Bytes is the memory that an axis of the shape takes, its windows included.
func (s Shape) Bytes() int64 {
	_, size := layout(s.Count, s.Taps)
	return size + int64(s.Count)*(int64(s.Taps)*4+32)
}

// layout places the arrays of an axis behind its header. size may exceed what the header's offsets can count.
func layout(count, taps int) (h axisHeader, size int64) {
	groups := (taps + 3) / 4
	size = roundUp(int64(unsafe.Sizeof(h)))
	room := func(bytes int64) int32 {
		at := size
		size += roundUp(bytes)
		return int32(at)
	}
	n := int64(count)
	h.count, h.taps, h.groups = int32(count), int32(taps), int32(groups)
	h.lo, h.n = room(n*4), room(n*4)
	h.k, h.k16 = room(n*int64(taps)*4), room(n*int64(groups)*16)
	h.k8 = room((n + 3) / 4 * int64(groups) * 48)
	return h, size
}

func roundUp(n int64) int64 { return (n + 63) &^ 63 }

// pad and most of the numbers below are engine.c's: see engine_start there.
const (
	pad        = 64
	misalign   = 8
	mostPixel  = 4 // bytes of a source pixel
	pointerLen = 8
)

// Order is what the memory of a resize depends on besides its axes: fields of its Plan.
type Order struct{ RowsFirst, Deep bool }

// RingBytes is the memory of the rows that the native resize keeps at once: as many as the longest window of y has, of
// source pixels where the rows come first, else of results.
func RingBytes(order Order, x, y Shape) int64 {
	slot := roundUp(int64(x.Count)*3) + pad
	if order.Deep {
		slot = roundUp(int64(x.Count)*6) + pad
	}
	if order.RowsFirst {
		slot = roundUp(int64(x.Used)*mostPixel) + pad
	}
	return slot * int64(y.Taps)
}

// ScratchBytes is the most that a resize takes besides its axes: by the native loops the ring and a few rows, one of them
// as wide as the source's columns; in Go a row for each source row used.
func ScratchBytes(level Level, order Order, x, y Shape, columns int) int64 {
	out := roundUp(int64(x.Count)*3) + pad
	if level == Go {
		width := int64(x.Count) * 3
		if order.RowsFirst {
			width = int64(x.Used) * 3
		}
		if order.Deep {
			width *= 2
		}
		return int64(y.Used+1)*width + int64(x.Used)*3 + out
	}
	groups := func(s Shape) int64 { return int64(s.Taps+3) / 4 * 4 }
	line := roundUp(misalign + int64(max(columns, x.Used))*mostPixel + groups(x)*mostPixel + pad)
	return RingBytes(order, x, y) + line + out + roundUp(groups(y)*pointerLen)
}
