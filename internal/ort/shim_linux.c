#define _GNU_SOURCE
#include "shim_linux.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The functions of OrtApi that are used here and their places in it. OrtApi only ever grows at its end.
#define FUNCTIONS(F)                          \
	F(GetErrorCode, 1)                        \
	F(GetErrorMessage, 2)                     \
	F(CreateRunOptions, 39)                   \
	F(CreateTensorWithDataAsOrtValue, 49)     \
	F(CreateMemoryInfo, 68)                   \
	F(ReleaseStatus, 93)                      \
	F(ReleaseMemoryInfo, 94)                  \
	F(ReleaseValue, 96)                       \
	F(ReleaseRunOptions, 97)                  \
	F(RunWithBinding, 133)                    \
	F(AddRunConfigEntry, 165)

enum {
	API = 29, // as onnxruntime_go asks for
#define F(name, index) name = index,
	FUNCTIONS(F)
#undef F
};

int imgvec_ort_index(const char *name) {
#define F(known, index) if (strcmp(name, #known) == 0) return index;
	FUNCTIONS(F)
#undef F
	return -1;
}

typedef struct { imgvec_ort (*get_api)(uint32_t); const char *(*get_version)(void); } api_base;
typedef void *status; // OrtStatus *, NULL is success

static void fail(imgvec_ort_error *e, const char *text) {
	e->code = -1;
	snprintf(e->text, sizeof e->text, "%s", text);
}

// took is 0 for success; otherwise it moves code and words of the status to e and frees it.
static int took(imgvec_ort ort, status s, imgvec_ort_error *e) {
	if (!s) return 0;
	e->code = ((int (*)(const void *))ort[GetErrorCode])(s);
	if (e->code == 0) e->code = -1;
	snprintf(e->text, sizeof e->text, "%s", ((const char *(*)(const void *))ort[GetErrorMessage])(s));
	((void (*)(void *))ort[ReleaseStatus])(s);
	return e->code;
}

// table is the table of an open library, or NULL.
static imgvec_ort table(const char *path) {
	void *lib = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	if (!lib) return NULL;
	api_base *(*get)(void) = (api_base *(*)(void))dlsym(lib, "OrtGetApiBase");
	imgvec_ort ort = get && get() ? get()->get_api(API) : NULL;
	dlclose(lib); // the count that RTLD_NOLOAD added
	return ort;
}

// names are libraries of this process that could be ONNX Runtime.
typedef struct { char path[4][1024]; int n; } names;

static int name_one(struct dl_phdr_info *info, size_t size, void *data) {
	(void)size;
	names *list = data;
	if (info->dlpi_name && strstr(info->dlpi_name, "libonnxruntime.") && list->n < 4)
		snprintf(list->path[list->n++], sizeof list->path[0], "%s", info->dlpi_name);
	return 0;
}

imgvec_ort imgvec_ort_open(const char *path, imgvec_ort_error *e) {
	imgvec_ort ort = NULL;
	if (*path) {
		ort = table(path);
	} else {
		names list = {.n = 0};
		dl_iterate_phdr(name_one, &list); // nothing is opened in it: it holds a lock of the loader
		for (int i = 0; i < list.n && !ort; i++) ort = table(list.path[i]);
	}
	if (!ort) fail(e, "ONNX Runtime's library is not open, or has no API of that version");
	return ort;
}

void *imgvec_ort_tensor(imgvec_ort ort, const char *memory, int device, uint64_t addr, size_t size,
	const int64_t *shape, size_t rank, int element, imgvec_ort_error *e) {
	enum { DEVICE_ALLOCATOR = 0, MEMORY_DEFAULT = 0 };
	void *info = NULL, *value = NULL;
	status s = ((status (*)(const char *, int, int, int, void **))ort[CreateMemoryInfo])(memory, DEVICE_ALLOCATOR, device, MEMORY_DEFAULT, &info);
	if (took(ort, s, e)) return NULL;
	s = ((status (*)(const void *, void *, size_t, const int64_t *, size_t, int, void **))ort[CreateTensorWithDataAsOrtValue])(
		info, (void *)(uintptr_t)addr, size, shape, rank, element, &value);
	((void (*)(void *))ort[ReleaseMemoryInfo])(info); // the tensor has its own copy
	return took(ort, s, e) ? NULL : value;
}

void imgvec_ort_release_value(imgvec_ort ort, void *value) { ((void (*)(void *))ort[ReleaseValue])(value); }

void *imgvec_ort_run_options(imgvec_ort ort, const char *const *keys, const char *const *values, size_t n, imgvec_ort_error *e) {
	void *options = NULL;
	if (took(ort, ((status (*)(void **))ort[CreateRunOptions])(&options), e)) return NULL;
	for (size_t i = 0; i < n; i++) {
		if (took(ort, ((status (*)(void *, const char *, const char *))ort[AddRunConfigEntry])(options, keys[i], values[i]), e)) {
			imgvec_ort_release_run_options(ort, options);
			return NULL;
		}
	}
	return options;
}

void imgvec_ort_release_run_options(imgvec_ort ort, void *options) { ((void (*)(void *))ort[ReleaseRunOptions])(options); }

int imgvec_binding_run(imgvec_binding *b, imgvec_ort_error *e) {
	return took(b->ort, ((status (*)(void *, const void *, const void *))b->ort[RunWithBinding])(b->session, b->options, b->binding), e);
}

void imgvec_binding_host(void *binding) {
	imgvec_binding *b = binding;
	if (b->touch) b->touch(b->in, b->in_size, b->out, b->out_size);
	imgvec_ort_error e;
	if (imgvec_binding_run(b, &e) == 0 || __atomic_load_n(&b->failed, __ATOMIC_ACQUIRE)) return;
	b->error = e;
	__atomic_store_n(&b->failed, 1, __ATOMIC_RELEASE);
}

int imgvec_binding_take(imgvec_binding *b, imgvec_ort_error *e) {
	if (!__atomic_load_n(&b->failed, __ATOMIC_ACQUIRE)) return 0;
	*e = b->error;
	__atomic_store_n(&b->failed, 0, __ATOMIC_RELEASE);
	return e->code;
}

imgvec_touch imgvec_find_touch(const char *path) {
	const char *name = "imgvec_sim_touch";
	void *found = dlsym(RTLD_DEFAULT, name);
	if (found || !*path) return (imgvec_touch)found;
	void *lib = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	if (!lib) return NULL;
	found = dlsym(lib, name);
	dlclose(lib); // the count that RTLD_NOLOAD added
	return (imgvec_touch)found;
}
