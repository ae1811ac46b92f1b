// uint8 pixels -> a model's input by table. Twin: normalizeGo in normalize.go.
#include "imgvec.h"

#define NORMALIZE(NAME, T)                                                                                              \
    void NAME(T *dst, const uint8_t *src, int64_t n, int64_t pixels, const T *table, int32_t planar, int32_t bgr) {     \
        const T *tr = table, *tg = table + 256, *tb = table + 512;                                                      \
        const int64_t r = bgr ? 2 : 0, b = 2 - r;                                                                       \
        for (int64_t i = 0; i < n; i++, src += pixels * 3, dst += pixels * 3) {                                         \
            if (planar) {                                                                                               \
                T *dr = dst + r * pixels, *dg = dst + pixels, *db = dst + b * pixels;                                   \
                for (int64_t p = 0; p < pixels; p++) {                                                                  \
                    dr[p] = tr[src[p * 3]];                                                                             \
                    dg[p] = tg[src[p * 3 + 1]];                                                                         \
                    db[p] = tb[src[p * 3 + 2]];                                                                         \
                }                                                                                                       \
            } else {                                                                                                    \
                for (int64_t p = 0; p < pixels * 3; p += 3) {                                                           \
                    dst[p + r] = tr[src[p]];                                                                            \
                    dst[p + 1] = tg[src[p + 1]];                                                                        \
                    dst[p + b] = tb[src[p + 2]];                                                                        \
                }                                                                                                       \
            }                                                                                                           \
        }                                                                                                               \
    }

NORMALIZE(imgvec_normalize_f32, float)
NORMALIZE(imgvec_normalize_f16, uint16_t)
