// Opens a libjpeg-turbo at run time.
#define _GNU_SOURCE // dladdr
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "jpeg.h"

// A function pointer's bytes are copied: ISO C has no cast for what dlsym returns.
static int bind(void *handle, const char *name, void *slot, char *missing, size_t room) {
    void *symbol = dlsym(handle, name);
    if (symbol == NULL) {
        snprintf(missing, room, "it has no %s: libjpeg-turbo 2 or later is needed", name);
        return 0;
    }
    memcpy(slot, &symbol, sizeof symbol);
    return 1;
}

static int bind_all(void *h, imgvec_jpeg *lib, char *missing, size_t room) {
    const struct {
        const char *name;
        void *slot;
    } functions[] = {
        {"jpeg_std_error", &lib->std_error},
        {"jpeg_CreateDecompress", &lib->create},
        {"jpeg_destroy_decompress", &lib->destroy},
        {"jpeg_read_header", &lib->read_header},
        {"jpeg_start_decompress", &lib->start},
        {"jpeg_read_scanlines", &lib->read_scanlines},
        {"jpeg_skip_scanlines", &lib->skip_scanlines},
        {"jpeg_crop_scanline", &lib->crop_scanline},
        {"jpeg_finish_decompress", &lib->finish},
        {"jpeg_has_multiple_scans", &lib->has_multiple_scans},
        {"jpeg_resync_to_restart", &lib->resync},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (!bind(h, functions[i].name, functions[i].slot, missing, room)) return 0;
    return 1;
}

// The file that the functions come from: the loader may have found it by a soname.
static void find_path(imgvec_jpeg *lib, const char *path) {
    Dl_info info;
    void *symbol;
    memcpy(&symbol, &lib->create, sizeof symbol);
    if (dladdr(symbol, &info) != 0 && info.dli_fname != NULL) path = info.dli_fname;
    snprintf(lib->path, sizeof lib->path, "%s", path);
}

const char *imgvec_jpeg_path(const imgvec_jpeg *lib) { return lib->path; }

imgvec_status imgvec_jpeg_open(const char *path, imgvec_jpeg **out) {
    *out = NULL;
    if (sizeof(void *) != 8) return status_of(IMGVEC_LIBRARY, "libjpeg is used on 64-bit systems only");
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *why = dlerror();
        return status_of(IMGVEC_LIBRARY, why != NULL ? why : "dlopen failed");
    }
    imgvec_jpeg *lib = calloc(1, sizeof *lib);
    char missing[128] = "";
    if (lib == NULL || !bind_all(handle, lib, missing, sizeof missing)) {
        free(lib);
        dlclose(handle);
        return status_of(IMGVEC_LIBRARY, missing);
    }
    imgvec_status status = jpeg_probe(lib);
    if (status.code != IMGVEC_OK) {
        free(lib);
        dlclose(handle);
        return status;
    }
    find_path(lib, path);
    *out = lib;
    return status;
}
