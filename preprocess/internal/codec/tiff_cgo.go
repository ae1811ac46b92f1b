//go:build cgo && (linux || darwin || freebsd)

package codec

/*
#include <stdlib.h>
#include "tiff_lib.h"

static const char *tiff_version(void *f) { return ((const char *(*)(void))f)(); }
*/
import "C"

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"unsafe"
)

// tiffNames are the functions in the order of tiff_lib.h.
var tiffNames = []string{
	"TIFFClientOpen", "TIFFClose", "TIFFGetField", "TIFFGetFieldDefaulted", "TIFFSetField", "TIFFSetSubDirectory",
	"TIFFIsTiled", "TIFFStripSize", "TIFFScanlineSize", "TIFFTileSize", "TIFFTileRowSize", "TIFFComputeStrip",
	"TIFFReadEncodedStrip", "TIFFReadTile", "TIFFRGBAImageOK", "TIFFRGBAImageBegin", "TIFFRGBAImageGet", "TIFFRGBAImageEnd",
	"TIFFSetErrorHandler", "TIFFSetWarningHandler",
}

var tiffOptional = []string{
	"TIFFClientOpenExt", "TIFFOpenOptionsAlloc", "TIFFOpenOptionsFree", "TIFFOpenOptionsSetErrorHandlerExtR",
	"TIFFOpenOptionsSetWarningHandlerExtR", "TIFFOpenOptionsSetMaxSingleMemAlloc", "TIFFOpenOptionsSetMaxCumulatedMemAlloc",
}

type nativeTIFF struct{ functions [C.tiff_count]unsafe.Pointer }

func bindTIFF(path string) (any, string, string, error) {
	var n nativeTIFF
	h, err := dlOpen(path)
	if err != nil {
		return nil, "", "", err
	}
	f, err := dlSymbols(h, tiffNames...)
	if err != nil {
		return nil, "", "", fmt.Errorf("%s: %w", path, err)
	}
	copy(n.functions[:], f)
	for i, name := range tiffOptional {
		n.functions[len(f)+i] = dlSymbol(h, name)
	}
	version := "4"
	if v := dlSymbol(h, "TIFFGetVersion"); v != nil {
		text, _, _ := strings.Cut(C.GoString(C.tiff_version(v)), "\n")
		version = strings.TrimPrefix(text, "LIBTIFF, Version ")
	}
	return n, version, dlPath(f[0]), nil
}

// tiffHandle is one open picture. data is pinned, for libtiff keeps its address between calls.
type tiffHandle struct {
	h    *C.imgvec_tiff
	pin  runtime.Pinner
	made tiffShape
}

// libtiff's own tables and buffers, besides the strips.
const tiffOwnMemory = 64 << 20

func (n nativeTIFF) open(t *tiffFile, memory int64) (tiffSource, error) {
	s := &tiffHandle{}
	s.pin.Pin(unsafe.SliceData(t.data))
	var text [400]C.char
	if t.ifd > 1<<32-1 {
		return nil, errors.New("its directory lies beyond 4 GiB")
	}
	functions := C.malloc(C.size_t(unsafe.Sizeof(n.functions)))
	defer C.free(functions)
	*(*[C.tiff_count]unsafe.Pointer)(functions) = n.functions
	s.h = C.imgvec_tiff_open((*unsafe.Pointer)(functions), (*C.uint8_t)(unsafe.SliceData(t.data)), C.size_t(len(t.data)),
		C.uint32_t(t.ifd), C.int64_t(memory+tiffOwnMemory), &text[0], C.size_t(len(text)))
	if s.h == nil {
		s.pin.Unpin()
		return nil, tiffError(text[:])
	}
	var c C.imgvec_tiff_shape
	C.imgvec_tiff_get_shape(s.h, &c)
	s.made = tiffShape{
		width: int(c.width), height: int(c.height), ycbcr: c.ycbcr != 0, separate: c.planar == 2, bits: int(c.bits),
		tiled: c.tiled != 0, blockW: int(c.block_w), blockH: int(c.block_h), blockBytes: int(c.block_bytes),
		rowBytes: int(c.row_bytes), associated: c.associated != 0,
	}
	return s, nil
}

// underflow is a negative count of bytes, which libtiff prints as if it had no sign; no true one has so many digits.
var underflow = regexp.MustCompile(`[0-9]{19}`)

func tiffError(text []C.char) error {
	message := C.GoString(&text[0])
	if underflow.MatchString(message) {
		message = "damaged strip or tile"
	}
	return errors.New("libtiff: " + message)
}

func (s *tiffHandle) shape() tiffShape { return s.made }

func (s *tiffHandle) close() {
	C.imgvec_tiff_close(s.h)
	s.pin.Unpin()
}

func (s *tiffHandle) strip(y, plane int, buf []byte) error {
	var text [400]C.char
	if C.imgvec_tiff_strip(s.h, C.uint32_t(y), C.uint16_t(plane), (*C.uint8_t)(unsafe.SliceData(buf)), C.size_t(len(buf)),
		&text[0], C.size_t(len(text))) == 0 {
		return tiffError(text[:])
	}
	return nil
}

func (s *tiffHandle) tile(x, y, plane int, buf []byte) error {
	var text [400]C.char
	if C.imgvec_tiff_tile(s.h, C.uint32_t(x), C.uint32_t(y), C.uint16_t(plane), (*C.uint8_t)(unsafe.SliceData(buf)),
		&text[0], C.size_t(len(text))) == 0 {
		return tiffError(text[:])
	}
	return nil
}

func (s *tiffHandle) rgba(y, rows int, buf []byte) error {
	var text [400]C.char
	if C.imgvec_tiff_rgba(s.h, C.uint32_t(y), C.uint32_t(rows), (*C.uint8_t)(unsafe.SliceData(buf)), C.size_t(len(buf)),
		&text[0], C.size_t(len(text))) == 0 {
		return tiffError(text[:])
	}
	return nil
}
