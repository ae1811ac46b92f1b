//go:build cgo

package csrc

// #cgo CFLAGS: -O3 -std=c11
// #include "imgvec.h"
import "C"

import "unsafe"

func normalize32(dst []float32, src []uint8, n, pixels int, table *[3][256]float32, planar, bgr bool) {
	if forcedGo() {
		normalizeGo(dst, src, n, pixels, table, planar, bgr)
		return
	}
	C.imgvec_normalize_f32((*C.float)(unsafe.Pointer(&dst[0])), (*C.uint8_t)(unsafe.Pointer(&src[0])),
		C.int64_t(n), C.int64_t(pixels), (*C.float)(unsafe.Pointer(table)), cbool(planar), cbool(bgr))
}

func normalize16(dst []uint16, src []uint8, n, pixels int, table *[3][256]uint16, planar, bgr bool) {
	if forcedGo() {
		normalizeGo(dst, src, n, pixels, table, planar, bgr)
		return
	}
	C.imgvec_normalize_f16((*C.uint16_t)(unsafe.Pointer(&dst[0])), (*C.uint8_t)(unsafe.Pointer(&src[0])),
		C.int64_t(n), C.int64_t(pixels), (*C.uint16_t)(unsafe.Pointer(table)), cbool(planar), cbool(bgr))
}

func cbool(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}
