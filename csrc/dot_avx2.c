// Dot products with AVX2: the sixteen lanes of dot.h are two registers. Two queries go over two rows at a time, a
// single one row by row: see dot_avx512.c.
#include "dot.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#define AVX2 __attribute__((target("avx2")))

AVX2 static inline float tree(__m256 low, __m256 high) {
    __m256 a = _mm256_add_ps(low, high);
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
}

#define TIMES(x, y) _mm256_mul_ps(x, y)
#define SQUARED(x, y) _mm256_mul_ps(_mm256_sub_ps(x, y), _mm256_sub_ps(x, y))

// Adds the terms of sixteen elements, which lie dim_r and dim_q apart.
#define STEP(TERM, Q, R, ROWS, DIM_R, QUERIES, DIM_Q)                                                                  \
    for (int half = 0; half < 2; half++) {                                                                             \
        __m256 row[R];                                                                                                 \
        _Pragma("GCC unroll 4") for (int r = 0; r < R; r++) row[r] = _mm256_loadu_ps((ROWS) + r * (DIM_R) + half * 8); \
        _Pragma("GCC unroll 4") for (int q = 0; q < Q; q++) {                                                          \
            __m256 query = _mm256_loadu_ps((QUERIES) + q * (DIM_Q) + half * 8);                                        \
            _Pragma("GCC unroll 4") for (int r = 0; r < R; r++)                                                        \
                sum[q][r][half] = _mm256_add_ps(sum[q][r][half], TERM(row[r], query));                                 \
        }                                                                                                              \
    }

#define TILE(NAME, TERM, Q, R)                                                                                            \
    AVX2 static void NAME##_##Q##x##R(const float *rows, int64_t dim, const float *queries, float *out, int64_t stride) { \
        __m256 sum[Q][R][2];                                                                                              \
        _Pragma("GCC unroll 4") for (int q = 0; q < Q; q++)                                                               \
            _Pragma("GCC unroll 4") for (int r = 0; r < R; r++) sum[q][r][0] = sum[q][r][1] = _mm256_setzero_ps();        \
        int64_t i = 0;                                                                                                    \
        for (; i + 16 <= dim; i += 16) {                                                                                  \
            _Pragma("GCC unroll 2") STEP(TERM, Q, R, rows + i, dim, queries + i, dim)                                     \
        }                                                                                                                 \
        if (i < dim) {                                                                                                    \
            float a[R][16] = {0}, b[Q][16] = {0};                                                                         \
            for (int r = 0; r < R; r++) memcpy(a[r], rows + r * dim + i, (size_t)(dim - i) * sizeof(float));              \
            for (int q = 0; q < Q; q++) memcpy(b[q], queries + q * dim + i, (size_t)(dim - i) * sizeof(float));           \
            _Pragma("GCC unroll 2") STEP(TERM, Q, R, a[0], 16, b[0], 16)                                                  \
        }                                                                                                                 \
        _Pragma("GCC unroll 4") for (int q = 0; q < Q; q++)                                                               \
            _Pragma("GCC unroll 4") for (int r = 0; r < R; r++) out[q * stride + r] = tree(sum[q][r][0], sum[q][r][1]);   \
    }

#define PRODUCTS(NAME, TERM)                                                                                                   \
    TILE(NAME, TERM, 2, 2)                                                                                                     \
    TILE(NAME, TERM, 2, 1)                                                                                                     \
    TILE(NAME, TERM, 1, 1)                                                                                                     \
    void NAME##_avx2(const float *rows, int64_t n, int64_t dim, const float *queries, int64_t nq, float *out, int64_t stride) { \
        int64_t q = 0;                                                                                                         \
        for (; q + 2 <= nq; q += 2) {                                                                                          \
            int64_t r = 0;                                                                                                     \
            for (; r + 2 <= n; r += 2) NAME##_2x2(rows + r * dim, dim, queries + q * dim, out + q * stride + r, stride);       \
            for (; r < n; r++) NAME##_2x1(rows + r * dim, dim, queries + q * dim, out + q * stride + r, stride);               \
        }                                                                                                                      \
        if (q < nq) {                                                                                                          \
            for (int64_t r = 0; r < n; r++) NAME##_1x1(rows + r * dim, dim, queries + q * dim, out + q * stride + r, stride);               \
        }                                                                                                                      \
    }

PRODUCTS(dot, TIMES)
PRODUCTS(distance, SQUARED)

__attribute__((target("avx2,f16c"))) void widen_avx2(float *dst, const uint16_t *src, int64_t count) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(src + i))));
    for (; i < count; i++) dst[i] = widen_one(src[i]);
}
#endif
