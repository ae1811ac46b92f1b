// The streaming resize: rows in, rows of the crop out. Twin: resampleGo in resample.go.
#define _POSIX_C_SOURCE 199309L // clock_gettime
#include "engine.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

int64_t engine_slack(const imgvec_axis *x, int32_t px) { return (int64_t)x->groups * 4 * px + PAD; }

// libjpeg-turbo stores to an aligned line past the caches, and the x pass would wait for memory.
#define MISALIGN 8

static int64_t round64(int64_t n) { return (n + 63) & ~(int64_t)63; }

static void choose(engine *e) {
    e->px_fn = x_plain;
    e->py_fn = y_plain;
#if defined(__x86_64__)
    if (e->plan.level == IMGVEC_AVX2) {
        e->px_fn = x_avx2;
        e->py_fn = y_avx2;
    } else if (e->plan.level == IMGVEC_AVX512) {
        e->px_fn = x_avx512;
        e->py_fn = y_avx512;
    }
#endif
    if (e->plan.deep) {
        e->px_fn = x_deep;
        e->py_fn = y_deep;
    }
}

// The sizes here are counted beforehand by ScratchBytes in shape.go: keep them in step.
int engine_start(engine *e, imgvec_worker *w, imgvec_plan plan, const imgvec_axis *x, const imgvec_axis *y, int32_t px, int64_t columns,
                 uint8_t *dst) {
    memset(e, 0, sizeof *e);
    e->plan = plan;
    e->x = x;
    e->y = y;
    e->dst = dst;
    e->px = px;
    choose(e);
    int64_t out = round64((int64_t)x->count * 3) + PAD, used = (int64_t)(x->last - x->first) * px;
    e->slots = y->taps;
    e->slot = plan.rows_first ? round64(used) + PAD : out;
    if (plan.deep) e->slot = round64((int64_t)x->count * 6) + PAD;
    int64_t line = round64(MISALIGN + (columns * px > used ? columns * px : used) + engine_slack(x, px));
    int64_t pointers = round64(((int64_t)y->groups * 4) * (int64_t)sizeof(void *));
    uint8_t *p = worker_scratch(w, e->slot * e->slots + line + out + pointers);
    if (p == NULL) return 0;
    e->ring = p;
    e->line = p + e->slot * e->slots + MISALIGN;
    e->out = p + e->slot * e->slots + line;
    e->rows = (const uint8_t **)(e->out + out);
    return 1;
}

static void store(engine *e, int32_t i) {
    uint8_t *d = e->dst + (int64_t)i * 3;
    for (int32_t j = 0; j < e->x->count; j++, d += e->plan.stride) {
        d[0] = e->out[j * 3];
        d[1] = e->out[j * 3 + 1];
        d[2] = e->out[j * 3 + 2];
    }
}

static void emit(engine *e, int32_t i) {
    const imgvec_axis *x = e->x, *y = e->y;
    int32_t lo = axis_i32(y, y->lo)[i], n = axis_i32(y, y->n)[i];
    for (int32_t j = 0; j < y->groups * 4; j++) e->rows[j] = e->ring + (int64_t)((lo + (j < n ? j : 0)) % e->slots) * e->slot;
    int32_t to = e->plan.flip_y ? y->count - 1 - i : i;
    uint8_t *row = e->dst + to * e->plan.stride;
    int64_t bytes = (int64_t)x->count * 3;
    if (e->plan.rows_first) {
        e->py_fn(y, i, e->rows, e->line, (int64_t)(x->last - x->first) * e->px);
        e->px_fn(x, e->line, x->first, e->px, e->out);
        if (!e->plan.transpose) memcpy(row, e->out, (size_t)bytes);
    } else {
        e->py_fn(y, i, e->rows, e->plan.transpose ? e->out : row, bytes);
    }
    if (e->plan.transpose) store(e, to);
}

static void push(engine *e, const uint8_t *src, int32_t base) {
    const int32_t *lo = axis_i32(e->y, e->y->lo), *n = axis_i32(e->y, e->y->n);
    int32_t row = e->row++;
    if (e->next >= e->y->count || row < lo[e->next]) return; // no window left, or none that begins so early
    uint8_t *slot = e->ring + (int64_t)(row % e->slots) * e->slot;
    if (e->plan.rows_first) {
        memcpy(slot, src + (int64_t)(e->x->first - base) * e->px, (size_t)(e->x->last - e->x->first) * (size_t)e->px);
    } else {
        e->px_fn(e->x, src, base, e->px, slot);
    }
    while (e->next < e->y->count && lo[e->next] + n[e->next] <= e->row) emit(e, e->next++);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// One row in this many is timed: two looks at the clock a row would cost more than the figure is worth. A prime, so that
// it does not keep step with the rows that complete a window.
#define SAMPLE 13

void engine_push(engine *e, const uint8_t *src, int32_t base) {
    if (e->row % SAMPLE != 0) {
        push(e, src, base);
        return;
    }
    int64_t start = now_ns();
    push(e, src, base);
    e->resize_ns += (now_ns() - start) * SAMPLE;
}

imgvec_status imgvec_resample(imgvec_worker *w, imgvec_plan plan, const imgvec_axis *x, const imgvec_axis *y, const uint8_t *pix,
                              int64_t len, int64_t stride, int32_t px, uint8_t *dst) {
    engine e;
    if (!engine_start(&e, w, plan, x, y, px, x->last, dst)) return status_of(IMGVEC_NOMEM, "no memory for the resize");
    for (e.row = y->first; e.row < y->last;) {
        const uint8_t *row = pix + e.row * stride;
        int64_t used = (int64_t)x->last * px;
        // Near the end of the pixels the vector loops would read past them, and the line takes the y pass' result.
        if (!plan.rows_first && e.row * stride + used + engine_slack(x, px) > len) row = memcpy(e.line, row, (size_t)used);
        engine_push(&e, row, 0);
    }
    worker_trim(w);
    return status_of(IMGVEC_OK, "");
}
