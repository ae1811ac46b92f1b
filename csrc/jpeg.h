// jpeg.h: private. The functions of a libjpeg-turbo that was opened at run time.
#ifndef IMGVEC_JPEG_H
#define IMGVEC_JPEG_H
#include "imgvec.h"
#include "jpeg62.h"

struct imgvec_jpeg {
    jpeg62_error *(*std_error)(jpeg62_error *);
    void (*create)(jpeg62 *, int version, size_t size);
    void (*destroy)(jpeg62 *);
    int (*read_header)(jpeg62 *, int require_image);
    int (*start)(jpeg62 *);
    uint32_t (*read_scanlines)(jpeg62 *, uint8_t **rows, uint32_t n);
    uint32_t (*skip_scanlines)(jpeg62 *, uint32_t n);
    void (*crop_scanline)(jpeg62 *, uint32_t *x, uint32_t *width);
    int (*finish)(jpeg62 *);
    int (*has_multiple_scans)(jpeg62 *);
    int (*resync)(jpeg62 *, int desired);
    char path[1024];
};

// Makes a decompressor, in which the library compares its version and the size of its structures with jpeg62.h's.
imgvec_status jpeg_probe(imgvec_jpeg *lib);

#endif
