//go:build cgo

package csrc

// #cgo noescape imgvec_products
// #cgo nocallback imgvec_products
// #cgo noescape imgvec_widen
// #cgo nocallback imgvec_widen
// #include "dot.h"
import "C"

import "unsafe"

func dot(level Level, out, rows, queries []float32, n, m, dim int) {
	if level == Go {
		dotGo(out, rows, queries, n, m, dim)
		return
	}
	C.imgvec_products(nativeLevel(level), C.IMGVEC_DOT, cfloat(rows), C.int64_t(n), C.int64_t(dim), cfloat(queries), C.int64_t(m), cfloat(out), C.int64_t(n))
}

func distance(level Level, out, rows, queries []float32, n, m, dim int) {
	if level == Go {
		distanceGo(out, rows, queries, n, m, dim)
		return
	}
	C.imgvec_products(nativeLevel(level), C.IMGVEC_DISTANCE, cfloat(rows), C.int64_t(n), C.int64_t(dim), cfloat(queries), C.int64_t(m), cfloat(out), C.int64_t(n))
}

func widen(level Level, dst []float32, src []uint16) {
	if level == Go {
		widenGo(dst, src)
		return
	}
	C.imgvec_widen(nativeLevel(level), cfloat(dst), (*C.uint16_t)(unsafe.Pointer(unsafe.SliceData(src))), C.int64_t(len(src)))
}

func cfloat(s []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(s))) }
