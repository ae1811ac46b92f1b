// The two passes with AVX2. A weight of 22 fraction bits is hi * 2^11 + lo, both of which fit 16 bits, so that two
// multiply-add instructions give the exact 32-bit sum.
#include "engine.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

// Four pixels of 3 or 4 bytes -> r0 r1 g0 g1 b0 b1 . . r2 r3 g2 g3 b2 b3 . .
AVX2 static inline __m128i pairs(int32_t px) {
    return px == 3 ? _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1)
                   : _mm_setr_epi8(0, 4, 1, 5, 2, 6, -1, -1, 8, 12, 9, 13, 10, 14, -1, -1);
}

AVX2 void x_avx2(const imgvec_axis *x, const uint8_t *src, int32_t base, int32_t px, uint8_t *dst) {
    const int32_t *lo = axis_i32(x, x->lo), *n = axis_i32(x, x->n);
    const uint8_t *weights = (const uint8_t *)x + x->k16;
    const __m128i order = pairs(px), half = _mm_set1_epi32(1 << (ROUND_BITS - 1));
    for (int32_t i = 0; i < x->count; i++, weights += x->groups * 16, dst += 3) {
        const uint8_t *k = weights, *p = src + (int64_t)(lo[i] - base) * px;
        __m256i hi = _mm256_setzero_si256(), low = hi;
        for (int32_t j = 0; j < n[i]; j += 4, k += 16, p += 4 * px) {
            __m256i pix = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p), order));
            __m128i kk = _mm_loadu_si128((const __m128i *)k);
            __m256i kh = _mm256_set_m128i(_mm_shuffle_epi32(kk, 0x55), _mm_shuffle_epi32(kk, 0x00));
            __m256i kl = _mm256_set_m128i(_mm_shuffle_epi32(kk, 0xff), _mm_shuffle_epi32(kk, 0xaa));
            hi = _mm256_add_epi32(hi, _mm256_madd_epi16(pix, kh));
            low = _mm256_add_epi32(low, _mm256_madd_epi16(pix, kl));
        }
        __m256i s = _mm256_add_epi32(_mm256_slli_epi32(hi, 11), low);
        __m128i t = _mm_add_epi32(_mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1)), half);
        t = _mm_srai_epi32(t, ROUND_BITS);
        t = _mm_packus_epi16(_mm_packs_epi32(t, t), t);
        int32_t rgb = _mm_cvtsi128_si32(t);
        memcpy(dst, &rgb, 4); // the fourth byte is overwritten by the next pixel, or falls into the row's padding
    }
}

AVX2 static inline __m256i finish(__m256i hi, __m256i low) {
    __m256i s = _mm256_add_epi32(_mm256_slli_epi32(hi, 11), low);
    return _mm256_srai_epi32(_mm256_add_epi32(s, _mm256_set1_epi32(1 << (ROUND_BITS - 1))), ROUND_BITS);
}

// Sixteen columns.
AVX2 static inline __m128i columns(const uint8_t *weights, int32_t n, const uint8_t *const *rows, int64_t at) {
    __m256i h0 = _mm256_setzero_si256(), l0 = h0, h1 = h0, l1 = h0;
    for (int32_t j = 0; j < n; j += 2) {
        __m128i a = _mm_loadu_si128((const __m128i *)(rows[j] + at)), b = _mm_loadu_si128((const __m128i *)(rows[j + 1] + at));
        __m256i u = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)), v = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
        int32_t pair[2];
        memcpy(&pair[0], weights + (j / 4) * 16 + (j & 2) * 2, 4);
        memcpy(&pair[1], weights + (j / 4) * 16 + (j & 2) * 2 + 8, 4);
        __m256i kh = _mm256_set1_epi32(pair[0]), kl = _mm256_set1_epi32(pair[1]);
        h0 = _mm256_add_epi32(h0, _mm256_madd_epi16(u, kh));
        l0 = _mm256_add_epi32(l0, _mm256_madd_epi16(u, kl));
        h1 = _mm256_add_epi32(h1, _mm256_madd_epi16(v, kh));
        l1 = _mm256_add_epi32(l1, _mm256_madd_epi16(v, kl));
    }
    __m256i w = _mm256_permute4x64_epi64(_mm256_packs_epi32(finish(h0, l0), finish(h1, l1)), 0xd8);
    return _mm_packus_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
}

AVX2 void y_avx2(const imgvec_axis *y, int32_t i, const uint8_t *const *rows, uint8_t *dst, int64_t n) {
    const uint8_t *weights = (const uint8_t *)y + y->k16 + (int64_t)i * y->groups * 16;
    int32_t taps = axis_i32(y, y->n)[i];
    int64_t at = 0;
    for (; at + 16 <= n; at += 16) _mm_storeu_si128((__m128i *)(dst + at), columns(weights, taps, rows, at));
    if (at < n) {
        uint8_t tail[16];
        _mm_storeu_si128((__m128i *)tail, columns(weights, taps, rows, at));
        memcpy(dst + at, tail, (size_t)(n - at));
    }
}
#endif
