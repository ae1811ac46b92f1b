// The two passes where the result is rounded to 8 bits once, at the end: the x pass keeps 16 bits, 8 of them a fraction.
// Plain C for every level: only models whose reference resizes floating-point pixels come here.
#include "engine.h"

#define DEEP_BITS 8
#define X_SHIFT (ROUND_BITS - DEEP_BITS)
#define Y_SHIFT (ROUND_BITS + DEEP_BITS)

static inline uint16_t clamp16(int32_t v) { return v < 0 ? 0 : v > 255 << DEEP_BITS ? 255 << DEEP_BITS : (uint16_t)v; }

// dst holds uint16_t.
void x_deep(const imgvec_axis *x, const uint8_t *src, int32_t base, int32_t px, uint8_t *dst) {
    const int32_t *lo = axis_i32(x, x->lo), *n = axis_i32(x, x->n), *k = axis_i32(x, x->k);
    uint16_t *d = (uint16_t *)dst;
    for (int32_t i = 0; i < x->count; i++, k += x->taps, d += 3) {
        const uint8_t *p = src + (int64_t)(lo[i] - base) * px;
        int32_t r = 1 << (X_SHIFT - 1), g = r, b = r;
        for (int32_t j = 0; j < n[i]; j++, p += px) {
            r += k[j] * p[0];
            g += k[j] * p[1];
            b += k[j] * p[2];
        }
        d[0] = clamp16(r >> X_SHIFT);
        d[1] = clamp16(g >> X_SHIFT);
        d[2] = clamp16(b >> X_SHIFT);
    }
}

#define BLOCK 128

// A weight times 16 bits does not fit 32, so the two bytes of a value have sums of their own.
static void y_block(const int32_t *k, int32_t taps, const uint8_t *const *rows, int64_t at, uint8_t *dst, int64_t n) {
    int32_t high[BLOCK], low[BLOCK];
    for (int64_t c = 0; c < n; c++) high[c] = low[c] = 0;
    for (int32_t j = 0; j < taps; j++) {
        const uint16_t *row = (const uint16_t *)rows[j] + at;
        for (int64_t c = 0; c < n; c++) {
            high[c] += k[j] * (row[c] >> DEEP_BITS);
            low[c] += k[j] * (row[c] & 0xff);
        }
    }
    for (int64_t c = 0; c < n; c++) {
        int64_t sum = (int64_t)high[c] * (1 << DEEP_BITS) + low[c] + ((int64_t)1 << (Y_SHIFT - 1));
        dst[at + c] = clamp8((int32_t)(sum >> Y_SHIFT));
    }
}

void y_deep(const imgvec_axis *y, int32_t i, const uint8_t *const *rows, uint8_t *dst, int64_t n) {
    const int32_t *k = axis_i32(y, y->k) + (int64_t)i * y->taps;
    int32_t taps = axis_i32(y, y->n)[i];
    int64_t at = 0;
    for (; at + BLOCK <= n; at += BLOCK) y_block(k, taps, rows, at, dst, BLOCK);
    if (at < n) y_block(k, taps, rows, at, dst, n - at);
}
