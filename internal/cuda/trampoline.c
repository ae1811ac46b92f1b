//go:build cuda && linux

/* The driver's functions for a program that must start without a driver, and that calls none before it is told to.
 *
 * Each function that gorgonia.org/cu or this package calls is one jump through a slot. Until imgvec_cuda_fill every
 * slot answers CUDA_ERROR_NOT_INITIALIZED, save two: gorgonia.org/cu calls cuInit before main and ends the process if
 * that fails, so cuInit answers success without doing anything, and there are no devices. symbols.inc: X(name) once
 * a function.
 *
 * The names are hidden: a library that the program opens later (ONNX Runtime's CUDA provider, TensorRT) must bind to
 * the real libcuda and never to these. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum { SUCCESS = 0, NOT_INITIALIZED = 3, NOT_FOUND = 500 };

static int not_initialized(void) { return NOT_INITIALIZED; }
static int not_found(void) { return NOT_FOUND; }
static int init_later(unsigned flags) { (void)flags; return SUCCESS; }
static int no_devices(int *count) { if (count) *count = 0; return SUCCESS; }

#if defined(__x86_64__)
#define JUMP(name) " endbr64\n jmp *imgvec_slot_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name) " hint #34\n adrp x16, imgvec_slot_" #name "\n ldr x16, [x16, :lo12:imgvec_slot_" #name "]\n br x16\n"
#else
#error "NVIDIA's driver exists for x86-64 and aarch64; build without -tags cuda"
#endif

#define SLOT(name, first) \
    __attribute__((visibility("hidden"), used)) void *imgvec_slot_##name = (void *)first; \
    __asm__(".pushsection .text\n .globl " #name "\n .hidden " #name "\n .type " #name ", %function\n" #name ":\n" \
            JUMP(name) " .size " #name ", . - " #name "\n .popsection\n");

#define X(name) SLOT(name, not_initialized)
SLOT(cuInit, init_later)
SLOT(cuDeviceGetCount, no_devices)
#include "symbols.inc"
#include "symbols_own.inc"
#undef X

void *imgvec_cuda_open(const char *path, char **problem) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *words = library ? NULL : dlerror();
    *problem = words ? strdup(words) : NULL;
    return library;
}

const char *imgvec_cuda_path(void *library) {
    struct link_map *map = NULL;
    return dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map ? map->l_name : NULL;
}

int imgvec_cuda_has(void *library, const char *name) { return dlsym(library, name) != NULL; }

int imgvec_cuda_init(void *library) {
    int (*init)(unsigned) = (int (*)(unsigned))dlsym(library, "cuInit");
    return init ? init(0) : NOT_FOUND;
}

static int ask(void *library, const char *name, int *answer) {
    int (*function)(int *) = (int (*)(int *))dlsym(library, name);
    return function ? function(answer) : NOT_FOUND;
}

int imgvec_cuda_version(void *library, int *version) { return ask(library, "cuDriverGetVersion", version); }

int imgvec_cuda_count(void *library, int *count) { return ask(library, "cuDeviceGetCount", count); }

const char *imgvec_cuda_words(void *library, const char *function, int code) {
    int (*words)(int, const char **) = (int (*)(int, const char **))dlsym(library, function);
    const char *text = NULL;
    return words && words(code, &text) == SUCCESS ? text : NULL;
}

static void fill(void *library, const char *name, void **slot) {
    void *function = dlsym(library, name);
    __atomic_store_n(slot, function ? function : (void *)not_found, __ATOMIC_RELEASE);
}

void imgvec_cuda_fill(void *library) {
#define X(name) fill(library, #name, &imgvec_slot_##name);
    X(cuInit)
    X(cuDeviceGetCount)
#include "symbols.inc"
#include "symbols_own.inc"
#undef X
}
