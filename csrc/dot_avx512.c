// Dot products with AVX-512: a lane of dot.h is a lane of a register. Four queries go over four rows at a time, so that
// each number that is loaded is used four times. A single query waits for memory, and that is faster row by row: one
// stream of addresses and not four.
#include "dot.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))

AVX512 static inline float tree(__m512 v) {
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1)));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
}

#define TIMES(x, y) _mm512_mul_ps(x, y)
#define SQUARED(x, y) _mm512_mul_ps(_mm512_sub_ps(x, y), _mm512_sub_ps(x, y))

// Q queries over R rows.
#define TILE(NAME, TERM, Q, R)                                                                                               \
    AVX512 static void NAME##_##Q##x##R(const float *rows, int64_t dim, const float *queries, float *out, int64_t stride) {  \
        __m512 sum[Q][R];                                                                                                    \
        _Pragma("GCC unroll 4") for (int q = 0; q < Q; q++)                                                                  \
            _Pragma("GCC unroll 4") for (int r = 0; r < R; r++) sum[q][r] = _mm512_setzero_ps();                             \
        for (int64_t i = 0; i < dim; i += 16) {                                                                              \
            const __mmask16 mask = dim - i >= 16 ? 0xffff : (__mmask16)((1u << (dim - i)) - 1);                              \
            __m512 row[R];                                                                                                   \
            _Pragma("GCC unroll 4") for (int r = 0; r < R; r++) row[r] = _mm512_maskz_loadu_ps(mask, rows + r * dim + i);    \
            _Pragma("GCC unroll 4") for (int q = 0; q < Q; q++) {                                                            \
                __m512 query = _mm512_maskz_loadu_ps(mask, queries + q * dim + i);                                           \
                _Pragma("GCC unroll 4") for (int r = 0; r < R; r++) sum[q][r] = _mm512_add_ps(sum[q][r], TERM(row[r], query)); \
            }                                                                                                                \
        }                                                                                                                    \
        _Pragma("GCC unroll 4") for (int q = 0; q < Q; q++)                                                                  \
            _Pragma("GCC unroll 4") for (int r = 0; r < R; r++) out[q * stride + r] = tree(sum[q][r]);                       \
    }

#define PRODUCTS(NAME, TERM)                                                                                                     \
    TILE(NAME, TERM, 4, 4)                                                                                                       \
    TILE(NAME, TERM, 4, 1)                                                                                                       \
    TILE(NAME, TERM, 1, 1)                                                                                                       \
    void NAME##_avx512(const float *rows, int64_t n, int64_t dim, const float *queries, int64_t nq, float *out, int64_t stride) { \
        for (int64_t q = 0; q < nq;) {                                                                                           \
            const int four = nq - q >= 4;                                                                                        \
            const float *query = queries + q * dim;                                                                              \
            float *o = out + q * stride;                                                                                         \
            int64_t r = 0;                                                                                                       \
            for (; four && r + 4 <= n; r += 4) NAME##_4x4(rows + r * dim, dim, query, o + r, stride);                            \
            for (; r < n; r++) (four ? NAME##_4x1 : NAME##_1x1)(rows + r * dim, dim, query, o + r, stride);                      \
            q += four ? 4 : 1;                                                                                                   \
        }                                                                                                                        \
    }

PRODUCTS(dot, TIMES)
PRODUCTS(distance, SQUARED)

AVX512 void widen_avx512(float *dst, const uint16_t *src, int64_t count) {
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) _mm512_storeu_ps(dst + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(src + i))));
    for (; i < count; i++) dst[i] = widen_one(src[i]);
}
#endif
