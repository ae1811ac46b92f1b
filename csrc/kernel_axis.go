package csrc

import "unsafe"

// lanesHeader is imgvec_lanes of imgvec.h.
type lanesHeader struct {
	count, groups, first, last int32
	lo, n, k, spare            int32
}

// Words is the axis as the CUDA kernels read it (imgvec_lanes), to copy to a device. It allocates; the caller owns it.
func (a *Axis) Words() []uint64 {
	count, groups := len(a.windows), (a.taps+3)/4
	h := lanesHeader{count: int32(count), groups: int32(groups), first: int32(a.first), last: int32(a.last)}
	size := roundUp(int64(unsafe.Sizeof(h)))
	room := func(bytes int64) int32 {
		at := size
		size += roundUp(bytes)
		return int32(at)
	}
	h.lo, h.n, h.k = room(int64(count)*4), room(int64(count)*4), room(int64(groups)*int64(count)*16)
	if size > 1<<31-1 {
		panic("imgvec: BUG: axis over 2 GiB")
	}
	words := make([]uint64, size/8)
	base := unsafe.Pointer(&words[0])
	*(*lanesHeader)(base) = h
	lo, n, k := array[int32](base, h.lo, count), array[int32](base, h.n, count), array[int32](base, h.k, groups*count*4)
	for i, w := range a.windows {
		lo[i], n[i] = int32(w.Lo), int32(len(w.Weights))
		for j, v := range w.Weights {
			k[(j/4*count+i)*4+j%4] = v
		}
	}
	return words
}
