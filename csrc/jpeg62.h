// jpeg62.h: private. The layout of libjpeg's structures of ABI version 62 on 64-bit systems, as far as it is used here.
// It is written down by offset, so that nothing but libc's headers is needed to build; jpeg62_test.go compares it with
// the system's jpeglib.h where that is installed, and the library itself compares version and size when a decompressor
// is made.
#ifndef IMGVEC_JPEG62_H
#define IMGVEC_JPEG62_H
#include <stddef.h>
#include <stdint.h>

#define JPEG62_VERSION 62

typedef struct jpeg62 jpeg62;

// Reports; error_exit must not return.
typedef struct {
    void (*error_exit)(jpeg62 *d);
    void (*emit_message)(jpeg62 *d, int level); // -1: warning about damage; 0 and more: trace
    void (*output_message)(jpeg62 *d);
    void (*format_message)(jpeg62 *d, char *text); // text has room for 200
    void (*reset_error_mgr)(jpeg62 *d);
    int32_t msg_code;
    uint8_t gap[84];
    long num_warnings;
    uint8_t rest[32];
} jpeg62_error;

// Where the compressed bytes come from.
typedef struct {
    const uint8_t *next_input_byte;
    size_t bytes_in_buffer;
    void (*init_source)(jpeg62 *d);
    int (*fill_input_buffer)(jpeg62 *d);
    void (*skip_input_data)(jpeg62 *d, long n);
    int (*resync_to_restart)(jpeg62 *d, int desired);
    void (*term_source)(jpeg62 *d);
} jpeg62_source;

typedef struct {
    void (*progress_monitor)(jpeg62 *d);
    long pass_counter, pass_limit;
    int completed_passes, total_passes;
} jpeg62_progress;

// The decompressor.
struct jpeg62 {
    jpeg62_error *err;
    void *mem;
    jpeg62_progress *progress;
    void *client_data;
    int32_t is_decompressor, global_state;
    jpeg62_source *src;
    uint32_t image_width, image_height;
    int32_t num_components, jpeg_color_space, out_color_space;
    uint8_t gap1[136 - 68];
    uint32_t output_width, output_height;
    int32_t out_color_components, output_components, rec_outbuf_height;
    uint8_t gap2[168 - 156];
    uint32_t output_scanline;
    int32_t input_scan_number;
    uint8_t gap3[192 - 176];
    int (*coef_bits)[64]; // per component and coefficient: the bits still missing; -1: nothing came
    uint8_t gap4[312 - 200];
    int32_t progressive_mode;
    uint8_t gap5[524 - 316];
    int32_t Ss, Se; // the scan's first and last coefficient
    uint8_t gap6[540 - 532];
    int32_t unread_marker;
    uint8_t rest[632 - 544];
};

#if UINTPTR_MAX == UINT64_MAX
#define JPEG62_AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
JPEG62_AT(jpeg62_error, num_warnings, 128);
JPEG62_AT(jpeg62_error, msg_code, 40);
JPEG62_AT(jpeg62, src, 40);
JPEG62_AT(jpeg62, image_width, 48);
JPEG62_AT(jpeg62, out_color_space, 64);
JPEG62_AT(jpeg62, output_width, 136);
JPEG62_AT(jpeg62, output_scanline, 168);
JPEG62_AT(jpeg62, coef_bits, 192);
JPEG62_AT(jpeg62, progressive_mode, 312);
JPEG62_AT(jpeg62, Ss, 524);
JPEG62_AT(jpeg62, unread_marker, 540);
_Static_assert(sizeof(jpeg62_error) == 168 && sizeof(jpeg62_source) == 56 && sizeof(jpeg62) == 632, "libjpeg's structures");
#endif

// Colour spaces, return values, markers.
enum { JCS62_GRAYSCALE = 1, JCS62_RGB = 2, JCS62_CMYK = 4, JCS62_EXT_RGBX = 7 };
enum { JPEG62_SUSPENDED = 0, JPEG62_HEADER_OK = 1, JPEG62_HEADER_TABLES_ONLY = 2 };
enum { MARKER_RST0 = 0xd0, MARKER_RST7 = 0xd7, MARKER_EOI = 0xd9 };

#endif
