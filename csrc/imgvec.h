// imgvec.h: the one header of imgvec's native code. Nothing in here prints, throws, exits or keeps its arguments.
#ifndef IMGVEC_H
#define IMGVEC_H
#include <stdint.h>

// uint8 [n][pixels][3] RGB -> the look-up table's element for each byte, as [n][3][pixels] (planar) or [n][pixels][3];
// bgr turns the channels' order round on the way out. table is [3][256] by R, G, B.
void imgvec_normalize_f32(float *dst, const uint8_t *src, int64_t n, int64_t pixels, const float *table, int32_t planar, int32_t bgr);
void imgvec_normalize_f16(uint16_t *dst, const uint8_t *src, int64_t n, int64_t pixels, const uint16_t *table, int32_t planar, int32_t bgr);

#endif
