// Dot products in plain C, and the choice of a variant.
#include "dot.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>

// Every known CPU with AVX2 has F16C; a hypervisor may hide it. Not every compiler's __builtin_cpu_supports knows the name.
static int has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

#pragma STDC FP_CONTRACT OFF

enum { LANES = 16 };

static float tree(float *lane) {
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++) lane[i] += lane[i + step];
    return lane[0];
}

#define PLAIN(NAME, TERM)                                                                                                            \
    static float NAME##_one(const float *a, const float *b, int64_t dim) {                                                           \
        float lane[LANES] = {0}, x[LANES], y[LANES];                                                                                 \
        int64_t i = 0;                                                                                                               \
        for (; i + LANES <= dim; i += LANES)                                                                                         \
            for (int j = 0; j < LANES; j++) lane[j] += TERM(a[i + j], b[i + j]);                                                     \
        if (i < dim) {                                                                                                               \
            memset(x, 0, sizeof x);                                                                                                  \
            memset(y, 0, sizeof y);                                                                                                  \
            memcpy(x, a + i, (size_t)(dim - i) * sizeof(float));                                                                     \
            memcpy(y, b + i, (size_t)(dim - i) * sizeof(float));                                                                     \
            for (int j = 0; j < LANES; j++) lane[j] += TERM(x[j], y[j]);                                                             \
        }                                                                                                                            \
        return tree(lane);                                                                                                           \
    }                                                                                                                                \
    static void NAME##_plain(const float *rows, int64_t n, int64_t dim, const float *queries, int64_t nq, float *out, int64_t stride) { \
        for (int64_t q = 0; q < nq; q++)                                                                                             \
            for (int64_t r = 0; r < n; r++) out[q * stride + r] = NAME##_one(rows + r * dim, queries + q * dim, dim);                \
    }

#define TIMES(x, y) ((x) * (y))
#define SQUARED(x, y) (((x) - (y)) * ((x) - (y)))
PLAIN(dot, TIMES)
PLAIN(distance, SQUARED)

float widen_one(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff, bits;
    float f;
    if (exponent == 0) {
        f = (float)fraction * 0x1p-24f;
        memcpy(&bits, &f, 4);
        bits |= sign;
    } else if (exponent == 31) {
        // A NaN becomes a quiet one, as in the processor's own conversion.
        bits = sign | 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0);
    } else {
        bits = sign | (exponent + 127 - 15) << 23 | fraction << 13;
    }
    memcpy(&f, &bits, 4);
    return f;
}

void imgvec_widen(int32_t level, float *dst, const uint16_t *src, int64_t count) {
#if defined(__x86_64__)
    if (level == IMGVEC_AVX512) {
        widen_avx512(dst, src, count);
        return;
    }
    if (level == IMGVEC_AVX2 && has_f16c()) {
        widen_avx2(dst, src, count);
        return;
    }
#endif
    for (int64_t i = 0; i < count; i++) dst[i] = widen_one(src[i]);
}

void imgvec_products(int32_t level, int32_t kind, const float *rows, int64_t n, int64_t dim, const float *queries, int64_t nq, float *out,
                     int64_t stride) {
    products_fn fn = kind == IMGVEC_DOT ? dot_plain : distance_plain;
#if defined(__x86_64__)
    if (level == IMGVEC_AVX2) fn = kind == IMGVEC_DOT ? dot_avx2 : distance_avx2;
    if (level == IMGVEC_AVX512) fn = kind == IMGVEC_DOT ? dot_avx512 : distance_avx512;
#endif
    fn(rows, n, dim, queries, nq, out, stride);
}
