//go:build cgo && !windows

package ort

/*
#cgo linux LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>

// The first two members of OrtApiBase, which ONNX Runtime promises never to change.
typedef struct {
	const void *(*get_api)(uint32_t version);
	const char *(*get_version)(void);
} api_base;

// imgvec_ort_version opens the library at path and reads its version and its own path. It returns 0, or -1 with the
// reason in version. The library stays open: its static constructors ran, and closing it again is not safe.
static int imgvec_ort_version(const char *path, char *version, int n_version, char *real, int n_real) {
	void *lib = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!lib) {
		snprintf(version, n_version, "%s", dlerror());
		return -1;
	}
	api_base *(*get)(void) = (api_base *(*)(void))dlsym(lib, "OrtGetApiBase");
	Dl_info info;
	if (!get || !get()) {
		snprintf(version, n_version, "it exports no OrtGetApiBase");
		return -1;
	}
	snprintf(version, n_version, "%s", get()->get_version());
	snprintf(real, n_real, "%s", dladdr((void *)get, &info) && info.dli_fname ? info.dli_fname : path);
	return 0;
}
*/
import "C"

import (
	"errors"
	"unsafe"
)

// libraryVersion opens the library and tells its version and where the loader found it.
func libraryVersion(path string) (version, real string, err error) {
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	var text, file [4096]C.char
	if C.imgvec_ort_version(cPath, &text[0], C.int(len(text)), &file[0], C.int(len(file))) != 0 {
		return "", "", errors.New(C.GoString(&text[0]))
	}
	return C.GoString(&text[0]), C.GoString(&file[0]), nil
}
