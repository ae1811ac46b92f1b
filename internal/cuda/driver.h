/* The driver as this package's Go files see it: the trampoline's own functions, and those of the driver that
 * gorgonia.org/cu lacks. No cuda.h is needed: handles are pointers, results and device numbers are ints. */
#ifndef IMGVEC_CUDA_DRIVER_H
#define IMGVEC_CUDA_DRIVER_H
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* imgvec_cuda_open opens a library, or returns NULL and the loader's words in *problem, which the caller frees. */
void *imgvec_cuda_open(const char *path, char **problem);
/* imgvec_cuda_path is the path that the loader found it under, or NULL. */
const char *imgvec_cuda_path(void *library);
/* imgvec_cuda_has tells whether the library has a function of that name. */
int imgvec_cuda_has(void *library, const char *name);
/* The next four call the library itself, before its functions are in the slots. A function that it lacks answers
 * CUDA_ERROR_NOT_FOUND, or no words. */
int imgvec_cuda_init(void *library);
int imgvec_cuda_version(void *library, int *version);
int imgvec_cuda_count(void *library, int *count);
const char *imgvec_cuda_words(void *library, const char *function, int code); /* cuGetErrorName or cuGetErrorString */
/* imgvec_cuda_fill puts the library's functions into the slots. From then on every driver call goes there. */
void imgvec_cuda_fill(void *library);

/* Functions of the driver. */
int cuDeviceGetPCIBusId(char *text, int size, int device);
int cuDeviceGetUuid(void *uuid, int device);
int cuDeviceGetUuid_v2(void *uuid, int device);
int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags);
int cuMemHostRegister_v2(void *memory, size_t bytes, unsigned flags);
int cuMemHostUnregister(void *memory);
int cuLaunchHostFunc(void *stream, void *function, void *data);
int cuThreadExchangeStreamCaptureMode(int *mode);

#pragma GCC visibility pop
#endif
