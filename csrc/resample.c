// The two passes in plain C: Pillow's 8-bit resample (src/libImaging/Resample.c), integer from end to end.
#include "engine.h"

#define HALF ((int32_t)1 << (ROUND_BITS - 1))

void x_plain(const imgvec_axis *x, const uint8_t *src, int32_t base, int32_t px, uint8_t *dst) {
    const int32_t *lo = axis_i32(x, x->lo), *n = axis_i32(x, x->n), *k = axis_i32(x, x->k);
    for (int32_t i = 0; i < x->count; i++, k += x->taps, dst += 3) {
        const uint8_t *p = src + (int64_t)(lo[i] - base) * px;
        int32_t r = HALF, g = HALF, b = HALF;
        for (int32_t j = 0; j < n[i]; j++, p += px) {
            r += k[j] * p[0];
            g += k[j] * p[1];
            b += k[j] * p[2];
        }
        dst[0] = clamp8(r >> ROUND_BITS);
        dst[1] = clamp8(g >> ROUND_BITS);
        dst[2] = clamp8(b >> ROUND_BITS);
    }
}

#define BLOCK 128

static void y_block(const int32_t *k, int32_t taps, const uint8_t *const *rows, int64_t at, uint8_t *dst, int64_t n) {
    int32_t sum[BLOCK];
    for (int64_t c = 0; c < n; c++) sum[c] = HALF;
    for (int32_t j = 0; j < taps; j++) {
        const uint8_t *row = rows[j] + at;
        for (int64_t c = 0; c < n; c++) sum[c] += k[j] * row[c];
    }
    for (int64_t c = 0; c < n; c++) dst[at + c] = clamp8(sum[c] >> ROUND_BITS);
}

void y_plain(const imgvec_axis *y, int32_t i, const uint8_t *const *rows, uint8_t *dst, int64_t n) {
    const int32_t *k = axis_i32(y, y->k) + (int64_t)i * y->taps;
    int32_t taps = axis_i32(y, y->n)[i];
    int64_t at = 0;
    for (; at + BLOCK <= n; at += BLOCK) y_block(k, taps, rows, at, dst, BLOCK);
    if (at < n) y_block(k, taps, rows, at, dst, n - at);
}

int32_t imgvec_has_level(int32_t level) {
    if (level == IMGVEC_C) return 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (level == IMGVEC_AVX2) return __builtin_cpu_supports("avx2") != 0;
    if (level == IMGVEC_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni");
#endif
    return 0;
}
