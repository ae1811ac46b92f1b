// What onnxruntime_go lacks of ONNX Runtime's C API: tensors on device memory, run options with a binding. Internal to
// package ort.
#ifndef IMGVEC_ORT_SHIM_H
#define IMGVEC_ORT_SHIM_H

#include <stddef.h>
#include <stdint.h>

// imgvec_ort_error is one failed call: ONNX Runtime's code and its words, taken before anything else is called.
typedef struct {
	int code; // 0: no failure; -1: not ONNX Runtime's
	char text[2048];
} imgvec_ort_error;

// imgvec_ort is ONNX Runtime's table of functions.
typedef const void **imgvec_ort;

// imgvec_ort_open finds the table of the library at path, which must be open in this process; "" is for the one that a
// host program opened under a name with "libonnxruntime." in it. NULL with the reason in e.
imgvec_ort imgvec_ort_open(const char *path, imgvec_ort_error *e);

// imgvec_ort_tensor sees size bytes at addr as a tensor. memory is ONNX Runtime's name of it ("Cuda", "Cpu"). It returns
// the OrtValue, which does not own the memory, or NULL with the reason in e.
void *imgvec_ort_tensor(imgvec_ort ort, const char *memory, int device, uint64_t addr, size_t size,
	const int64_t *shape, size_t rank, int element, imgvec_ort_error *e);
void imgvec_ort_release_value(imgvec_ort ort, void *value);

// imgvec_ort_run_options makes options of one run with n entries.
void *imgvec_ort_run_options(imgvec_ort ort, const char *const *keys, const char *const *values, size_t n, imgvec_ort_error *e);
void imgvec_ort_release_run_options(imgvec_ort ort, void *options);

// imgvec_touch tells a simulated driver what a host function reads and writes on the device.
typedef void (*imgvec_touch)(const void *read, size_t n, void *write, size_t m);

// imgvec_binding is a session with its bound tensors, ready to run. It owns none of its parts.
typedef struct {
	imgvec_ort ort;
	void *session, *options, *binding;
	imgvec_touch touch; // may be NULL
	const void *in;
	size_t in_size;
	void *out;
	size_t out_size;
	int failed; // a run of imgvec_binding_host failed and nobody took the error; atomic
	imgvec_ort_error error;
} imgvec_binding;

// imgvec_binding_run runs the session; 0, or the code with the reason in e.
int imgvec_binding_run(imgvec_binding *b, imgvec_ort_error *e);

// imgvec_binding_host is imgvec_binding_run as a stream's host function. The first error stays until it is taken.
void imgvec_binding_host(void *binding);

// imgvec_binding_take moves the error of imgvec_binding_host to e and returns its code, 0 for none.
int imgvec_binding_take(imgvec_binding *b, imgvec_ort_error *e);

// imgvec_find_touch looks for a simulated driver among the libraries of the process and in the one at path ("" for none).
imgvec_touch imgvec_find_touch(const char *path);

// imgvec_ort_index tells an index that this file uses by the function's name, -1 for a name that it does not use. For
// tests.
int imgvec_ort_index(const char *name);

#endif
