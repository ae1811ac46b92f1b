// imgvec.h: the one public header of imgvec's native code. Nothing in here prints, throws, exits or keeps its
// arguments; a status is returned by value, with its text, because a goroutine may run on another thread at its next call.
#ifndef IMGVEC_H
#define IMGVEC_H
#include <stdint.h>

// What a call came to.
enum {
    IMGVEC_OK = 0,
    IMGVEC_BROKEN = 1,    // the file is damaged or of a kind that the library refuses
    IMGVEC_TRUNCATED = 2, // the data end before the picture does
    IMGVEC_SCANS = 3,     // more scans than any sane file has
    IMGVEC_NOMEM = 4,
    IMGVEC_LIBRARY = 5,   // the library can't be opened or is of another ABI
};
typedef struct {
    int32_t code;
    int32_t warnings; // of the decoder, about damage that Pillow accepts too
    int64_t resize_ns; // of a decode: the part of its time that went into the resize, sampled
    char text[248];
} imgvec_status;

// Variants of the pixel loops; all give the same bytes.
enum { IMGVEC_C = 0, IMGVEC_AVX2 = 1, IMGVEC_AVX512 = 2 };
int32_t imgvec_has_level(int32_t level);

// uint8 [n][pixels][3] RGB -> the look-up table's element for each byte, as [n][3][pixels] (planar) or [n][pixels][3];
// bgr turns the channels' order round on the way out. table is [3][256] by R, G, B.
void imgvec_normalize_f32(float *dst, const uint8_t *src, int64_t n, int64_t pixels, const float *table, int32_t planar, int32_t bgr);
void imgvec_normalize_f16(uint16_t *dst, const uint8_t *src, int64_t n, int64_t pixels, const uint16_t *table, int32_t planar, int32_t bgr);

// One axis of a resize: for each output pixel a window of source pixels and its integer weights (22 fraction bits). The
// arrays follow the struct at the given byte offsets; axis.go packs them.
typedef struct {
    int32_t count;       // output pixels
    int32_t taps;        // the longest window
    int32_t first, last; // source pixels used: [first, last)
    int32_t groups;      // ceil(taps / 4)
    int32_t lo, n;       // int32[count]: a window's start and length
    int32_t k;           // int32[count][taps]: the weights, zero behind a window's end
    int32_t k16;         // int16[count][groups][2][4]: weight = hi * 2^11 + lo, four his, four los
    int32_t k8;          // int8[count rounded up to 4 / 4][groups][3][4 outputs][4 taps]: weight = d0 + d1 * 2^8 + d2 * 2^16
} imgvec_axis;

// How the two axes make a picture. The y axis goes over source rows in rising order.
typedef struct {
    int32_t level;
    int32_t rows_first; // 1: the y axis is applied first
    int32_t transpose;  // 1: output pixel (i of y, j of x) is stored in row j, column i
    int32_t flip_y;     // 1: output i of y is stored at count-1-i
    int32_t deep;       // 1: rounded to 8 bits once, after the y axis; not with rows_first
    int32_t spare;
    int64_t stride;     // of the destination, bytes
} imgvec_plan;

// Scratch memory and decoder state of one goroutine.
typedef struct imgvec_worker imgvec_worker;
imgvec_worker *imgvec_worker_new(void); // NULL: out of memory
void imgvec_worker_free(imgvec_worker *w);
int64_t imgvec_worker_bytes(const imgvec_worker *w); // scratch held between calls

// Resizes pixels of px (3 or 4) bytes, rows stride bytes apart, len bytes in all, into RGB at dst.
imgvec_status imgvec_resample(imgvec_worker *w, imgvec_plan plan, const imgvec_axis *x, const imgvec_axis *y, const uint8_t *pix,
                              int64_t len, int64_t stride, int32_t px, uint8_t *dst);

// A libjpeg-turbo of ABI 62, opened at run time and never closed.
typedef struct imgvec_jpeg imgvec_jpeg;
imgvec_status imgvec_jpeg_open(const char *path, imgvec_jpeg **lib);
const char *imgvec_jpeg_path(const imgvec_jpeg *lib); // the file that it was loaded from
// Decodes a JPEG file of width x height as Pillow does and resizes it into RGB at dst, scanline by scanline. careful: all
// rows and columns are decoded, also those that the axes do not use; the result is the same.
imgvec_status imgvec_jpeg_into(imgvec_worker *w, imgvec_jpeg *lib, imgvec_plan plan, const imgvec_axis *x, const imgvec_axis *y,
                               const uint8_t *data, int64_t len, int32_t width, int32_t height, int32_t careful, uint8_t *dst);

// ---- Kernels for CUDA devices: kernels.cu; plain loops that give the same bytes: csrc/gold.
//
// All memory is the device's, and every parameter is one 64-bit word. Any grid will do: the loops stride over it; csrc.Grid
// in Go knows a good one. A block has IMGVEC_BLOCK threads or fewer; in the h passes and l2norm exactly IMGVEC_TEAM.
enum { IMGVEC_BLOCK = 256, IMGVEC_TEAM = 128 };

// One axis of a resize as the kernels read it: imgvec_axis with its weights turned, so that neighbouring threads read
// neighbouring memory. Axis.Words in Go packs it. Windows neither start nor end before their predecessors do, or all the
// other way round (a mirrored source).
typedef struct {
    int32_t count;       // output pixels
    int32_t groups;      // of four weights, in the longest window
    int32_t first, last; // source pixels used: [first, last)
    int32_t lo, n;       // byte offsets of int32[count]: a window's start and length
    int32_t k;           // byte offset of int32[groups][count][4]: the weights, zero behind a window's end
    int32_t spare;
} imgvec_lanes;

// Flags of a pass that ends in a model's input.
enum {
    IMGVEC_BGR = 1,
    IMGVEC_TRANSPOSE = 2, // the pixel of row r, column c is stored in row c, column r
    IMGVEC_FLIP = 4,      // the rows come in reverse order (before they are transposed)
};

// normalize: n pictures, uint8 [n][pixels][3] RGB -> [n][channels][pixels] (nchw) or [n][pixels][channels] (nhwc). Each
// byte is looked up in table, [3][256] by R, G, B; bgr (0 or 1) turns the colours' order round on the way out. channels
// is at least 3; those from the fourth on become zero.
#define IMGVEC_NORMALIZE(T) (T * dst, const uint8_t *src, const T *table, int64_t n, int64_t pixels, int64_t channels, int64_t bgr)

// resample to u8: one pass over one picture. src has rows stride bytes apart and pixels of step (3 or 4) bytes.
// h: works along the rows, lines rows of them; src's pixel 0 is pixel base of the axis' source; makes pixels of 3 bytes.
// v: works along the columns, lines pixels of them; src's row 0 is row base of the axis' source; keeps the step.
#define IMGVEC_PASS \
    (uint8_t * dst, const uint8_t *src, const imgvec_lanes *axis, int64_t dst_stride, int64_t stride, int64_t step, int64_t base, int64_t lines)

// resample to a model's input: the second pass and the normalisation in one. dst is where the picture's first pixel
// goes, width the pixels of a row there (the crop may be narrower), plane the pixels of a channel (nchw only).
#define IMGVEC_LAST_PASS(T)                                                                                                \
    (T * dst, const uint8_t *src, const imgvec_lanes *axis, const T *table, int64_t stride, int64_t step, int64_t base, int64_t lines, \
     int64_t width, int64_t plane, int64_t channels, int64_t flags)

// convert: count halves, exact; a NaN keeps its payload. dst 16-byte aligned and src 8-byte aligned is fast.
// l2norm: rows of dim elements are scaled to length 1; one of length 0 stays as it is. The sum of squares is in float64,
// in an order of its own: see gold.L2Norm. dst may be src where the types are the same.

// Every kernel: IMGVEC_KERNEL(name, parameters), IMGVEC_KERNEL_SYNC for those whose threads wait for each other.
#define IMGVEC_KERNELS(IMGVEC_KERNEL, IMGVEC_KERNEL_SYNC)                                  \
    IMGVEC_KERNEL_SYNC(normalize_u8nhwc_to_f32nchw, IMGVEC_NORMALIZE(float))               \
    IMGVEC_KERNEL_SYNC(normalize_u8nhwc_to_f32nhwc, IMGVEC_NORMALIZE(float))               \
    IMGVEC_KERNEL_SYNC(normalize_u8nhwc_to_f16nchw, IMGVEC_NORMALIZE(uint16_t))            \
    IMGVEC_KERNEL_SYNC(normalize_u8nhwc_to_f16nhwc, IMGVEC_NORMALIZE(uint16_t))            \
    IMGVEC_KERNEL_SYNC(normalize_u8nhwc_to_u8nchw, IMGVEC_NORMALIZE(uint8_t))              \
    IMGVEC_KERNEL_SYNC(normalize_u8nhwc_to_u8nhwc, IMGVEC_NORMALIZE(uint8_t))              \
    IMGVEC_KERNEL_SYNC(resample_h_u8nhwc_to_u8nhwc, IMGVEC_PASS)                           \
    IMGVEC_KERNEL_SYNC(resample_h_u8nhwc_to_f32nchw, IMGVEC_LAST_PASS(float))              \
    IMGVEC_KERNEL_SYNC(resample_h_u8nhwc_to_f32nhwc, IMGVEC_LAST_PASS(float))              \
    IMGVEC_KERNEL_SYNC(resample_h_u8nhwc_to_f16nchw, IMGVEC_LAST_PASS(uint16_t))           \
    IMGVEC_KERNEL_SYNC(resample_h_u8nhwc_to_f16nhwc, IMGVEC_LAST_PASS(uint16_t))           \
    IMGVEC_KERNEL(resample_v_u8nhwc_to_u8nhwc, IMGVEC_PASS)                                \
    IMGVEC_KERNEL(resample_v_u8nhwc_to_f32nchw, IMGVEC_LAST_PASS(float))                   \
    IMGVEC_KERNEL(resample_v_u8nhwc_to_f32nhwc, IMGVEC_LAST_PASS(float))                   \
    IMGVEC_KERNEL(resample_v_u8nhwc_to_f16nchw, IMGVEC_LAST_PASS(uint16_t))                \
    IMGVEC_KERNEL(resample_v_u8nhwc_to_f16nhwc, IMGVEC_LAST_PASS(uint16_t))                \
    IMGVEC_KERNEL(convert_f16_to_f32, (float *dst, const uint16_t *src, int64_t count))    \
    IMGVEC_KERNEL_SYNC(l2norm_f32_to_f32, (float *dst, const float *src, int64_t rows, int64_t dim)) \
    IMGVEC_KERNEL_SYNC(l2norm_f16_to_f32, (float *dst, const uint16_t *src, int64_t rows, int64_t dim))

#endif
