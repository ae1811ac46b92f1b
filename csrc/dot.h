// Dot products of vectors, squared distances, and halves as floats. Twins: dotGo, distanceGo and widenGo in dot.go.
//
// Every variant gives the same bits: element i of a vector goes into lane i % 16, each lane is summed in order with a
// rounding after every product and every sum (no fused multiply-add), and the lanes are added as a tree: 8 apart, 4, 2, 1.
// So a result does not depend on the machine, nor on which rows and queries go together.
#ifndef IMGVEC_DOT_H
#define IMGVEC_DOT_H
#include "imgvec.h"

enum { IMGVEC_DOT = 0, IMGVEC_DISTANCE = 1 };

// out[q * stride + r] = query q . row r, or the squared length of their difference. rows is [n][dim], queries
// [nq][dim]; neither needs to be aligned.
void imgvec_products(int32_t level, int32_t kind, const float *rows, int64_t n, int64_t dim, const float *queries, int64_t nq, float *out,
                     int64_t stride);
// count halves as floats, exact.
void imgvec_widen(int32_t level, float *dst, const uint16_t *src, int64_t count);

typedef void (*products_fn)(const float *rows, int64_t n, int64_t dim, const float *queries, int64_t nq, float *out, int64_t stride);
#if defined(__x86_64__)
void dot_avx2(const float *, int64_t, int64_t, const float *, int64_t, float *, int64_t);
void distance_avx2(const float *, int64_t, int64_t, const float *, int64_t, float *, int64_t);
void widen_avx2(float *dst, const uint16_t *src, int64_t count);
void dot_avx512(const float *, int64_t, int64_t, const float *, int64_t, float *, int64_t);
void distance_avx512(const float *, int64_t, int64_t, const float *, int64_t, float *, int64_t);
void widen_avx512(float *dst, const uint16_t *src, int64_t count);
#endif
float widen_one(uint16_t h);
#endif
