//go:build cgo && (linux || darwin || freebsd)

package codec

/*
#cgo CFLAGS: -D_GNU_SOURCE
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

// dl_open copies the loader's text in the same call: it belongs to the thread, and a goroutine may change threads.
static void *dl_open(const char *path, char *text, size_t size) {
	void *h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!h) {
		const char *e = dlerror();
		snprintf(text, size, "%s", e ? e : "unknown error");
	}
	return h;
}

static int dl_path(void *symbol, char *text, size_t size) {
	Dl_info info;
	if (!dladdr(symbol, &info) || !info.dli_fname) return 0;
	snprintf(text, size, "%s", info.dli_fname);
	return 1;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// dlOpen opens a shared library by path, or by a name that the loader looks up. It is never closed: code of it may be
// running in another goroutine.
func dlOpen(path string) (unsafe.Pointer, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var text [512]C.char
	h := C.dl_open(name, &text[0], C.size_t(len(text)))
	if h == nil {
		return nil, errors.New(C.GoString(&text[0]))
	}
	return h, nil
}

// dlSymbols looks names up, all of which must be there.
func dlSymbols(h unsafe.Pointer, names ...string) ([]unsafe.Pointer, error) {
	out := make([]unsafe.Pointer, len(names))
	for i, name := range names {
		if out[i] = dlSymbol(h, name); out[i] == nil {
			return nil, fmt.Errorf("has no function %s: too old?", name)
		}
	}
	return out, nil
}

func dlSymbol(h unsafe.Pointer, name string) unsafe.Pointer {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	return C.dlsym(h, s)
}

// dlPath tells which file a symbol came from.
func dlPath(symbol unsafe.Pointer) string {
	var text [4096]C.char
	if C.dl_path(symbol, &text[0], C.size_t(len(text))) == 0 {
		return ""
	}
	return C.GoString(&text[0])
}
