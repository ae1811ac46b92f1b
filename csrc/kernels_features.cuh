// kernels_features.cuh: a model's output to features. Gold: gold.ConvertF16, gold.L2Norm.
#ifndef IMGVEC_KERNELS_FEATURES_CUH
#define IMGVEC_KERNELS_FEATURES_CUH
#include "kernels_common.cuh"

// The number whose half-precision bits are h, exact. The multiplication moves the exponent's bias and turns subnormals
// into normal numbers; infinity and NaN keep their fraction.
DEVICE static float from_half(uint32_t h) {
    const uint32_t shifted = (h & 0x7fff) << 13;
    float_bits v = {shifted}, bias = {0x77800000}; // 2^112
    v.f *= bias.f;
    if ((h & 0x7c00) == 0x7c00) v.u = shifted | 0x7f800000;
    v.u |= (h & 0x8000) << 16;
    return v.f;
}

DEVICE static uint32_t bits_of(float f) {
    float_bits v;
    v.f = f;
    return v.u;
}

DEVICE static void convert(float *dst, const uint16_t *src, int64_t count) {
    const int64_t groups = aligned(dst, 16) && aligned(src, 8) ? count / 4 : 0, step = thread_count();
    ROLLED for (int64_t g = thread_number(); g < groups; g += step) {
        const words<2, 8> in = load<words<2, 8>>(src + g * 4);
        words<4, 16> out;
        UNROLL for (int i = 0; i < 4; i++) out.w[i] = bits_of(from_half(in.w[i / 2] >> (i % 2 * 16) & 0xffff));
        store(dst + g * 4, out);
    }
    ROLLED for (int64_t i = groups * 4 + thread_number(); i < count; i += step) dst[i] = from_half(src[i]);
}

DEVICE static float number(float v) { return v; }
DEVICE static float number(uint16_t h) { return from_half(h); }

DEVICE static words<4, 16> four_of(const float *p) { return load<words<4, 16>>(p); }
DEVICE static words<4, 16> four_of(const uint16_t *p) {
    const words<2, 8> in = load<words<2, 8>>(p);
    words<4, 16> out;
    UNROLL for (int i = 0; i < 4; i++) out.w[i] = bits_of(from_half(in.w[i / 2] >> (i % 2 * 16) & 0xffff));
    return out;
}

// One block, one row at a time; a thread has every 128th group of four elements. The order of the additions does not
// depend on how the elements are loaded: gold.L2Norm repeats it.
template <class T> DEVICE void l2norm(float *dst, const T *src, int64_t rows, int64_t dim) {
    __shared__ double part[IMGVEC_TEAM];
    SPOIL(part);
    const int me = threadIdx.x;
    const bool fast = dim % 4 == 0 && aligned(dst, 16) && aligned(src, 4 * sizeof(T));
    ROLLED for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
        const T *in = src + row * dim;
        float *out = dst + row * dim;
        double sum = 0;
        ROLLED for (int64_t e = me * 4; e < dim; e += 4 * IMGVEC_TEAM) {
            if (fast) {
                const words<4, 16> v = four_of(in + e);
                UNROLL for (int i = 0; i < 4; i++) {
                    const float_bits x = {v.w[i]};
                    sum += static_cast<double>(x.f) * x.f;
                }
            } else {
                ROLLED for (int64_t i = e; i < dim && i < e + 4; i++) sum += static_cast<double>(number(in[i])) * number(in[i]);
            }
        }
        part[me] = sum;
        __syncthreads();
        ROLLED for (int half = IMGVEC_TEAM / 2; half > 0; half /= 2) {
            if (me < half) part[me] += part[me + half];
            __syncthreads();
        }
        const double total = part[0], scale = total == 0 ? 1 : 1 / sqrt(total);
        __syncthreads(); // part is written again for the next row
        ROLLED for (int64_t e = me * 4; e < dim; e += 4 * IMGVEC_TEAM) {
            if (fast) {
                words<4, 16> v = four_of(in + e);
                UNROLL for (int i = 0; i < 4; i++) {
                    const float_bits x = {v.w[i]};
                    v.w[i] = bits_of(static_cast<float>(x.f * scale));
                }
                store(out + e, v);
            } else {
                ROLLED for (int64_t i = e; i < dim && i < e + 4; i++) out[i] = static_cast<float>(number(in[i]) * scale);
            }
        }
    }
}

#endif
