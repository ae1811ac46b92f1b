//go:build cgo && linux

package ort

/*
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

// imgvec_lib_open opens a library for good, so that those that need it find it by its soname; only tells that it is open
// already. NULL with the reason in text.
static void *imgvec_lib_open(const char *path, int only, char *text, size_t n) {
	void *lib = dlopen(path, RTLD_LAZY | RTLD_GLOBAL | (only ? RTLD_NOLOAD : 0));
	const char *why = lib ? NULL : dlerror();
	if (!lib) snprintf(text, n, "%s", why ? why : "it is not open");
	return lib;
}

// imgvec_lib_path tells where the loader found a library.
static void imgvec_lib_path(void *lib, char *text, size_t n) {
	struct link_map *map = NULL;
	snprintf(text, n, "%s", dlinfo(lib, RTLD_DI_LINKMAP, &map) == 0 && map && map->l_name ? map->l_name : "");
}

static int imgvec_lib_has(void *lib, const char *symbol) { return dlsym(lib, symbol) != NULL; }

// imgvec_lib_version calls the function that tells a version; -1 where there is none.
static long imgvec_lib_version(void *lib, const char *symbol, int form) {
	void *f = dlsym(lib, symbol);
	int version = -1;
	if (!f) return -1;
	switch (form) {
	case 1: return ((int (*)(int *))f)(&version) == 0 ? version : -1;
	case 2: return (long)((size_t (*)(void))f)();
	case 3: return ((int (*)(void))f)();
	}
	return -1;
}
*/
import "C"

import (
	"errors"
	"unsafe"
)

// library is one that the loader opened. It stays open.
type library struct {
	handle unsafe.Pointer
	path   string
}

// openLibrary opens the file at path, or asks the loader for a soname.
func openLibrary(path string) (library, error) { return dlopen(path, 0) }

// openedLibrary is the library of that soname which is in the process already.
func openedLibrary(soname string) (library, bool) {
	lib, err := dlopen(soname, 1)
	return lib, err == nil
}

func dlopen(path string, only C.int) (library, error) {
	c := C.CString(path)
	defer C.free(unsafe.Pointer(c))
	var text [4096]C.char
	handle := C.imgvec_lib_open(c, only, &text[0], C.size_t(len(text)))
	if handle == nil {
		return library{}, errors.New(C.GoString(&text[0]))
	}
	C.imgvec_lib_path(handle, &text[0], C.size_t(len(text)))
	return library{handle, C.GoString(&text[0])}, nil
}

func (l library) has(symbol string) bool {
	c := C.CString(symbol)
	defer C.free(unsafe.Pointer(c))
	return C.imgvec_lib_has(l.handle, c) != 0
}

// version asks the library, and is false where it does not tell.
func (l library) version(t teller) (int, bool) {
	if t.form == formNone {
		return 0, false
	}
	c := C.CString(t.symbol)
	defer C.free(unsafe.Pointer(c))
	version := int(C.imgvec_lib_version(l.handle, c, C.int(t.form)))
	return version, version >= 0
}
