//go:build cgo

package csrc

// #include "imgvec.h"
import "C"

func nativeLevels() []Level {
	have := []Level{Go}
	for _, l := range []Level{PlainC, AVX2, AVX512} {
		if cgoHasLevel(l) {
			have = append(have, l)
		}
	}
	return have
}

func cgoHasLevel(l Level) bool { return C.imgvec_has_level(nativeLevel(l)) != 0 }

func nativeLevel(l Level) C.int32_t {
	switch l {
	case AVX2:
		return C.IMGVEC_AVX2
	case AVX512:
		return C.IMGVEC_AVX512
	}
	return C.IMGVEC_C
}
