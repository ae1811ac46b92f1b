// engine.h: private. A resize that takes source rows one at a time, so that no whole picture is ever in memory.
#ifndef IMGVEC_ENGINE_H
#define IMGVEC_ENGINE_H
#include "imgvec.h"

#define ROUND_BITS 22
#define PAD 64 // vector loops read and write up to this many bytes past a row

// Horizontal: src holds source pixels from number base on, px bytes each; writes count * 3 bytes and up to PAD more.
typedef void (*pass_x)(const imgvec_axis *x, const uint8_t *src, int32_t base, int32_t px, uint8_t *dst);
// Vertical: output row i from its window's rows (a whole number of fours, the surplus any readable row); writes n bytes.
typedef void (*pass_y)(const imgvec_axis *y, int32_t i, const uint8_t *const *rows, uint8_t *dst, int64_t n);

void x_plain(const imgvec_axis *x, const uint8_t *src, int32_t base, int32_t px, uint8_t *dst);
void y_plain(const imgvec_axis *y, int32_t i, const uint8_t *const *rows, uint8_t *dst, int64_t n);
// The pair of a deep plan: x_deep writes uint16_t, which y_deep reads.
void x_deep(const imgvec_axis *x, const uint8_t *src, int32_t base, int32_t px, uint8_t *dst);
void y_deep(const imgvec_axis *y, int32_t i, const uint8_t *const *rows, uint8_t *dst, int64_t n);
#if defined(__x86_64__)
void x_avx2(const imgvec_axis *x, const uint8_t *src, int32_t base, int32_t px, uint8_t *dst);
void y_avx2(const imgvec_axis *y, int32_t i, const uint8_t *const *rows, uint8_t *dst, int64_t n);
void x_avx512(const imgvec_axis *x, const uint8_t *src, int32_t base, int32_t px, uint8_t *dst);
void y_avx512(const imgvec_axis *y, int32_t i, const uint8_t *const *rows, uint8_t *dst, int64_t n);
#endif

typedef struct {
    imgvec_plan plan;
    const imgvec_axis *x, *y;
    uint8_t *dst;
    pass_x px_fn;
    pass_y py_fn;
    int32_t px;           // bytes a source pixel
    int32_t row, next;    // number of the next source row, of the next output of y
    int64_t resize_ns;    // time spent in engine_push, from a sample of its calls
    int32_t slots;        // rows in the ring
    int64_t slot;         // bytes of one
    uint8_t *ring;        // last rows: of the x pass' results, or of source pixels where the y axis goes first
    uint8_t *line;        // room for one source row; the y pass' result where it goes first
    uint8_t *out;         // one row of output
    const uint8_t **rows; // a window's rows
} engine;

// Lays the engine over the worker's scratch; columns is how many source pixels line must hold. 0: out of memory.
int engine_start(engine *e, imgvec_worker *w, imgvec_plan plan, const imgvec_axis *x, const imgvec_axis *y, int32_t px, int64_t columns,
                 uint8_t *dst);
// Takes source row e->row, whose first pixel has number base.
void engine_push(engine *e, const uint8_t *src, int32_t base);
// The bytes that the x pass may read past pixel `last` of a row.
int64_t engine_slack(const imgvec_axis *x, int32_t px);

static inline const int32_t *axis_i32(const imgvec_axis *a, int32_t offset) { return (const int32_t *)((const uint8_t *)a + offset); }
static inline uint8_t clamp8(int32_t v) { return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v; }

struct jpeg_state;
struct imgvec_worker {
    uint8_t *scratch;
    int64_t cap;
    struct jpeg_state *jpeg;
};
// At least n bytes, 64-aligned, contents lost. NULL: out of memory.
uint8_t *worker_scratch(imgvec_worker *w, int64_t n);
void worker_trim(imgvec_worker *w);
void jpeg_state_free(struct jpeg_state *j);
imgvec_status status_of(int32_t code, const char *text);

#endif
