// kernels_normalize.cuh: bytes to a model's input by look-up. Gold: gold.Normalize.
//
// The work is memory traffic: 3 bytes in and 3 elements out for a pixel. So the table lies in shared memory, and a thread
// makes 16 bytes of output at a time wherever these are aligned, which is a vector of V elements.
#ifndef IMGVEC_KERNELS_NORMALIZE_CUH
#define IMGVEC_KERNELS_NORMALIZE_CUH
#include "kernels_common.cuh"

enum { VALUES = 256, TABLE = 3 * VALUES };

template <class T> DEVICE void fill(T *look, const T *table) {
    ROLLED for (int i = threadIdx.x; i < TABLE; i += blockDim.x) look[i] = table[i];
    __syncthreads();
}

// V pixels of one picture: 3 * V bytes in, V elements out for each plane.
template <class T> DEVICE void planar_vector(T *dst, const uint8_t *src, const T *look, int64_t pixels, int64_t channels, int64_t bgr) {
    constexpr int V = 16 / sizeof(T);
    using part = words<V / 4, V>;
    using vector = words<4, 16>;
    part in[3];
    UNROLL for (int i = 0; i < 3; i++) in[i] = load<part>(src + i * V);
    UNROLL for (int c = 0; c < 3; c++) {
        vector out = {};
        UNROLL for (int p = 0; p < V; p++) {
            const int at = p * 3 + c;
            set(out, p, look[c * VALUES + byte_of(in[at / V], at % V)]);
        }
        store(dst + (bgr ? 2 - c : c) * pixels, out);
    }
    ROLLED for (int64_t c = 3; c < channels; c++) store(dst + c * pixels, vector{});
}

template <class T> DEVICE void normalize_nchw(T *dst, const uint8_t *src, const T *table, int64_t n, int64_t pixels, int64_t channels, int64_t bgr) {
    __shared__ T look[TABLE];
    SPOIL(look);
    fill(look, table);
    constexpr int V = 16 / sizeof(T);
    const int64_t step = thread_count();
    if (pixels % V == 0 && aligned(dst, 16) && aligned(src, V)) {
        const int64_t across = pixels / V, groups = n * across;
        ROLLED for (int64_t g = thread_number(); g < groups; g += step) {
            const int64_t picture = g / across, p = (g - picture * across) * V;
            planar_vector(dst + picture * channels * pixels + p, src + g * V * 3, look, pixels, channels, bgr);
        }
        return;
    }
    ROLLED for (int64_t i = thread_number(); i < n * pixels; i += step) { // neighbouring threads still write neighbouring elements
        const int64_t picture = i / pixels;
        T *out = dst + picture * channels * pixels + (i - picture * pixels);
        for (int c = 0; c < 3; c++) out[(bgr ? 2 - c : c) * pixels] = look[c * VALUES + src[i * 3 + c]];
        ROLLED for (int64_t c = 3; c < channels; c++) out[c * pixels] = 0;
    }
}

// One element of the output: colour c of the output's order, of the pixel that lies at p.
template <class T> DEVICE T packed_element(const uint8_t *p, const T *look, int32_t c, bool bgr) {
    if (c >= 3) return 0;
    const int32_t from = bgr ? 2 - c : c;
    return look[from * VALUES + p[from]];
}

// C is the number of channels where it is known beforehand, else 0. Vectors follow each other in memory, whatever pixels
// they cut in two: so every store of a warp is one stretch.
template <class T, int C> DEVICE void packed(T *dst, const uint8_t *src, const T *look, int64_t count, int64_t channels, int64_t bgr) {
    constexpr int V = 16 / sizeof(T);
    using part = words<V / 4, V>;
    const int32_t n = C ? C : static_cast<int32_t>(channels);
    const bool same = C == 3 && !bgr && aligned(src, V); // input and output are in the same order
    const int64_t vectors = aligned(dst, 16) ? count / V : 0, step = thread_count();
    ROLLED for (int64_t g = thread_number(); g < vectors; g += step) {
        const int64_t pixel = g * V / n;
        int32_t c = static_cast<int32_t>(g * V - pixel * n);
        words<4, 16> out = {};
        if (same) {
            const part in = load<part>(src + g * V);
            UNROLL for (int i = 0; i < V; i++) {
                set(out, i, look[c * VALUES + static_cast<int>(byte_of(in, i))]);
                c = c == 2 ? 0 : c + 1;
            }
        } else {
            const uint8_t *p = src + pixel * 3;
            UNROLL for (int i = 0; i < V; i++) {
                set(out, i, packed_element(p, look, c, bgr != 0));
                if (++c == n) {
                    c = 0;
                    p += 3;
                }
            }
        }
        store(dst + g * V, out);
    }
    ROLLED for (int64_t e = vectors * V + thread_number(); e < count; e += step) {
        const int64_t pixel = e / n;
        dst[e] = packed_element(src + pixel * 3, look, static_cast<int32_t>(e - pixel * n), bgr != 0);
    }
}

template <class T> DEVICE void normalize_nhwc(T *dst, const uint8_t *src, const T *table, int64_t n, int64_t pixels, int64_t channels, int64_t bgr) {
    __shared__ T look[TABLE];
    SPOIL(look);
    fill(look, table);
    if (channels == 3) {
        packed<T, 3>(dst, src, look, n * pixels * 3, 3, bgr);
    } else {
        packed<T, 0>(dst, src, look, n * pixels * channels, channels, bgr);
    }
}

#endif
