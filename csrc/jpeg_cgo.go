//go:build cgo

package csrc

// #include <stdlib.h>
// #include "imgvec.h"
import "C"

import (
	"bytes"
	"os"
	"unsafe"
)

// JPEG is a libjpeg-turbo, opened at run time and never closed. It is safe for concurrent use.
type JPEG struct {
	native  *C.imgvec_jpeg
	version string
}

// OpenJPEG opens the libjpeg-turbo of ABI 62 at path, or a soname that the loader knows.
func OpenJPEG(path string) (*JPEG, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var lib JPEG
	status := C.imgvec_jpeg_open(name, &lib.native)
	if status.code != C.IMGVEC_OK {
		return nil, statusError(status)
	}
	lib.version = jpegVersion(lib.Path())
	return &lib, nil
}

// Version is the library's version, "3.2.0"; "" where it does not say.
func (j *JPEG) Version() string { return j.version }

// Path is the file that the library was loaded from.
func (j *JPEG) Path() string { return C.GoString(C.imgvec_jpeg_path(j.native)) }

// jpegVersion finds the version in the library's file: no function tells it.
func jpegVersion(path string) string {
	file, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	_, after, found := bytes.Cut(file, []byte("libjpeg-turbo version "))
	version, _, ended := bytes.Cut(after[:min(len(after), 32)], []byte(" "))
	if !found || !ended {
		return ""
	}
	return string(version)
}
