// The two passes with AVX-512 VNNI, whose dot product takes unsigned by signed bytes into 32 bits without saturation. A
// weight is d0 + d1 * 2^8 + d2 * 2^16 with digits of -128..127, so three of them give the exact 32-bit sum.
#include "engine.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

typedef struct {
    __m512i d0, d1, d2;
} sums;

AVX512 static inline sums zero(void) {
    __m512i z = _mm512_setzero_si512();
    return (sums){z, z, z};
}

AVX512 static inline __m512i finish(sums s) {
    __m512i v = _mm512_add_epi32(s.d1, _mm512_slli_epi32(s.d2, 8));
    v = _mm512_add_epi32(_mm512_slli_epi32(v, 8), s.d0);
    return _mm512_srai_epi32(_mm512_add_epi32(v, _mm512_set1_epi32(1 << (ROUND_BITS - 1))), ROUND_BITS);
}

// Four pixels of 3 or 4 bytes -> r0 r1 r2 r3 g0 g1 g2 g3 b0 b1 b2 b3 . . . .
AVX512 static inline __m512i planes(int32_t px) {
    return _mm512_broadcast_i32x4(px == 3 ? _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1)
                                          : _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, -1, -1, -1, -1));
}

// Four output pixels at once, one in each 128-bit lane.
AVX512 void x_avx512(const imgvec_axis *x, const uint8_t *src, int32_t base, int32_t px, uint8_t *dst) {
    const int32_t *lo = axis_i32(x, x->lo);
    const uint8_t *k = (const uint8_t *)x + x->k8;
    const __m512i order = planes(px), spread = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    const __m128i squeeze = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    for (int32_t i = 0; i < x->count; i += 4, dst += 12) {
        const uint8_t *p[4];
        for (int32_t j = 0; j < 4; j++) p[j] = src + (int64_t)(lo[i + j < x->count ? i + j : i] - base) * px;
        sums s = zero();
        for (int32_t g = 0; g < x->groups; g++, k += 48) {
            int64_t at = (int64_t)g * 4 * px;
            __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(p[0] + at)));
            v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(p[1] + at)), 1);
            v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(p[2] + at)), 2);
            v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(p[3] + at)), 3);
            v = _mm512_shuffle_epi8(v, order);
            __m512i k0 = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)k));
            __m512i k1 = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(k + 16)));
            __m512i k2 = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(k + 32)));
            s.d0 = _mm512_dpbusd_epi32(s.d0, v, _mm512_permutexvar_epi32(spread, k0));
            s.d1 = _mm512_dpbusd_epi32(s.d1, v, _mm512_permutexvar_epi32(spread, k1));
            s.d2 = _mm512_dpbusd_epi32(s.d2, v, _mm512_permutexvar_epi32(spread, k2));
        }
        __m128i rgbx = _mm512_cvtusepi32_epi8(_mm512_max_epi32(finish(s), _mm512_setzero_si512()));
        _mm_storeu_si128((__m128i *)dst, _mm_shuffle_epi8(rgbx, squeeze));
    }
}

AVX512 static inline void dot(sums *s, __m512i v, const int32_t *k) {
    s->d0 = _mm512_dpbusd_epi32(s->d0, v, _mm512_set1_epi32(k[0]));
    s->d1 = _mm512_dpbusd_epi32(s->d1, v, _mm512_set1_epi32(k[4]));
    s->d2 = _mm512_dpbusd_epi32(s->d2, v, _mm512_set1_epi32(k[8]));
}

// Up to 64 columns, those of the mask.
AVX512 static inline void columns(const uint8_t *weights, int32_t groups, const uint8_t *const *rows, int64_t at, uint8_t *dst, __mmask64 mask) {
    sums a = zero(), b = zero(), c = zero(), d = zero();
    for (int32_t g = 0; g < groups; g++, rows += 4, weights += 48) {
        __m512i r0 = _mm512_maskz_loadu_epi8(mask, rows[0] + at), r1 = _mm512_maskz_loadu_epi8(mask, rows[1] + at);
        __m512i r2 = _mm512_maskz_loadu_epi8(mask, rows[2] + at), r3 = _mm512_maskz_loadu_epi8(mask, rows[3] + at);
        __m512i t0 = _mm512_unpacklo_epi8(r0, r1), t1 = _mm512_unpackhi_epi8(r0, r1);
        __m512i u0 = _mm512_unpacklo_epi8(r2, r3), u1 = _mm512_unpackhi_epi8(r2, r3);
        const int32_t *k = (const int32_t *)weights;
        dot(&a, _mm512_unpacklo_epi16(t0, u0), k);
        dot(&b, _mm512_unpackhi_epi16(t0, u0), k);
        dot(&c, _mm512_unpacklo_epi16(t1, u1), k);
        dot(&d, _mm512_unpackhi_epi16(t1, u1), k);
    }
    __m512i v = _mm512_packus_epi16(_mm512_packs_epi32(finish(a), finish(b)), _mm512_packs_epi32(finish(c), finish(d)));
    _mm512_mask_storeu_epi8(dst + at, mask, v);
}

AVX512 void y_avx512(const imgvec_axis *y, int32_t i, const uint8_t *const *rows, uint8_t *dst, int64_t n) {
    const uint8_t *weights = (const uint8_t *)y + y->k8 + (int64_t)(i / 4) * y->groups * 48 + (i % 4) * 4;
    int32_t groups = (axis_i32(y, y->n)[i] + 3) / 4;
    int64_t at = 0;
    for (; at + 64 <= n; at += 64) columns(weights, groups, rows, at, dst, ~(__mmask64)0);
    if (at < n) columns(weights, groups, rows, at, dst, ((__mmask64)1 << (n - at)) - 1);
}
#endif
