//go:build cgo && linux

package cudasim

/*
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef uintptr_t word;
typedef int (*function)(word, word, word, word, word, word, word, word, word, word, word);
static void *find(const char *path, const char *name) {
	void *lib = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
	return lib ? dlsym(lib, name) : NULL;
}
static int raw_call(void *f, const word *a) { return ((function)f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10]); }
static void *at(word p) { return (void *)p; }

// twice is a host function: dst[i] = 2 * src[i], which it declares before where touch is set.
typedef void (*touch)(const void *, size_t, void *, size_t);
struct work { const float *src; float *dst; word n; touch touch; word ran; };
static void twice(void *data) {
	struct work *w = data;
	if (w->touch) w->touch(w->src, w->n * sizeof *w->src, w->dst, w->n * sizeof *w->dst);
	for (word i = 0; i < w->n; i++) w->dst[i] = 2 * w->src[i];
	w->ran++;
}
static word twice_address(void) { return (word)twice; }
static void call_touch(void *f, word src, word n, word dst, word m) { ((touch)f)((void *)src, n, (void *)dst, m); }
*/
import "C"

import (
	"os"
	"unsafe"
)

// This file calls the driver without anything between, for the simulator's own tests.

func function(name string) unsafe.Pointer {
	path, symbol := C.CString(os.Getenv("IMGVEC_CUDA_DRIVER")), C.CString(name)
	defer C.free(unsafe.Pointer(path))
	defer C.free(unsafe.Pointer(symbol))
	return C.find(path, symbol)
}

// raw calls a driver function and gives its code, -1 where the library lacks it.
func raw(name string, args ...uintptr) int {
	f := function(name)
	if f == nil {
		return -1
	}
	var words [11]C.word
	for i, a := range args {
		words[i] = C.word(a)
	}
	return int(C.raw_call(f, &words[0]))
}

// heap gives zeroed memory of C, that is to say pageable host memory, never freed.
func heap(n int) uintptr { return uintptr(C.calloc(1, C.size_t(n))) }

func bytesAt(p uintptr, n int) []byte     { return unsafe.Slice((*byte)(C.at(C.word(p))), n) }
func wordsAt(p uintptr, n int) []uintptr  { return unsafe.Slice((*uintptr)(C.at(C.word(p))), n) }
func floatsAt(p uintptr, n int) []float32 { return unsafe.Slice((*float32)(C.at(C.word(p))), n) }

// twice gives the function and the data for cuLaunchHostFunc that doubles n floats.
func twice(dst, src uintptr, n int, declared bool) (fn, data uintptr) {
	data = heap(5 * 8)
	w := wordsAt(data, 5)
	w[0], w[1], w[2] = src, dst, uintptr(n)
	if declared {
		w[3] = uintptr(function("imgvec_sim_touch"))
	}
	return uintptr(C.twice_address()), data
}

// ran tells how often the host function with that data ran.
func ran(data uintptr) int { return int(wordsAt(data, 5)[4]) }

// touched declares what the program itself does.
func touched(read uintptr, n int, write uintptr, m int) {
	C.call_touch(function("imgvec_sim_touch"), C.word(read), C.word(n), C.word(write), C.word(m))
}
