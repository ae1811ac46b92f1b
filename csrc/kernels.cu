// kernels.cu: every kernel of imgvec.h. `make csrc` turns it into kernels.ptx, for every GPU from compute capability 7.5 on.
//
// It keeps to a small part of CUDA, so that tests can compile it for the host: thread and block numbers, __shared__
// arrays, __syncthreads. What a kernel computes is in the files that are included.
#include "kernels_features.cuh"
#include "kernels_normalize.cuh"
#include "kernels_resample.cuh"

#define DECLARE(name, parameters) extern "C" __global__ void name parameters;
IMGVEC_KERNELS(DECLARE, DECLARE)

// Elements are moved as bits.
#define BITS(B, p) reinterpret_cast<B *>(p)

#define NORMALIZE(to, layout, T, B)                                                                                             \
    extern "C" __global__ void __launch_bounds__(IMGVEC_BLOCK) normalize_u8nhwc_to_##to##layout(                                \
        T *__restrict__ dst, const uint8_t *__restrict__ src, const T *__restrict__ table, int64_t n, int64_t pixels,           \
        int64_t channels, int64_t bgr) {                                                                                        \
        normalize_##layout(BITS(B, dst), src, BITS(const B, table), n, pixels, channels, bgr);                                  \
    }
NORMALIZE(f32, nchw, float, uint32_t)
NORMALIZE(f32, nhwc, float, uint32_t)
NORMALIZE(f16, nchw, uint16_t, uint16_t)
NORMALIZE(f16, nhwc, uint16_t, uint16_t)
NORMALIZE(u8, nchw, uint8_t, uint8_t)
NORMALIZE(u8, nhwc, uint8_t, uint8_t)

#define PASS(axis_of, block)                                                                                                          \
    extern "C" __global__ void __launch_bounds__(block) resample_##axis_of##_u8nhwc_to_u8nhwc(                 \
        uint8_t *__restrict__ dst, const uint8_t *__restrict__ src, const imgvec_lanes *__restrict__ axis, int64_t dst_stride,  \
        int64_t stride, int64_t step, int64_t base, int64_t lines) {                                                            \
        resample_##axis_of(bytes_out{dst, dst_stride}, src, axis, stride, step, base, lines);                                   \
    }
PASS(h, IMGVEC_TEAM)
PASS(v, IMGVEC_BLOCK)

#define LAST_PASS(axis_of, to, layout, T, B, block, rows)                                                                            \
    extern "C" __global__ void __launch_bounds__(block) resample_##axis_of##_u8nhwc_to_##to##layout(           \
        T *__restrict__ dst, const uint8_t *__restrict__ src, const imgvec_lanes *__restrict__ axis,                            \
        const T *__restrict__ table, int64_t stride, int64_t step, int64_t base, int64_t lines, int64_t width, int64_t plane,   \
        int64_t channels, int64_t flags) {                                                                                      \
        const input_out<B, planar_##layout> out = {BITS(B, dst), BITS(const B, table), rows, width, plane, channels, flags};    \
        resample_##axis_of(out, src, axis, stride, step, base, lines);                                                          \
    }
constexpr bool planar_nchw = true, planar_nhwc = false;
LAST_PASS(h, f32, nchw, float, uint32_t, IMGVEC_TEAM, lines)
LAST_PASS(h, f32, nhwc, float, uint32_t, IMGVEC_TEAM, lines)
LAST_PASS(h, f16, nchw, uint16_t, uint16_t, IMGVEC_TEAM, lines)
LAST_PASS(h, f16, nhwc, uint16_t, uint16_t, IMGVEC_TEAM, lines)
LAST_PASS(v, f32, nchw, float, uint32_t, IMGVEC_BLOCK, axis->count)
LAST_PASS(v, f32, nhwc, float, uint32_t, IMGVEC_BLOCK, axis->count)
LAST_PASS(v, f16, nchw, uint16_t, uint16_t, IMGVEC_BLOCK, axis->count)
LAST_PASS(v, f16, nhwc, uint16_t, uint16_t, IMGVEC_BLOCK, axis->count)

extern "C" __global__ void __launch_bounds__(IMGVEC_BLOCK) convert_f16_to_f32(float *__restrict__ dst, const uint16_t *__restrict__ src, int64_t count) {
    convert(dst, src, count);
}

extern "C" __global__ void __launch_bounds__(IMGVEC_TEAM) l2norm_f32_to_f32(float *dst, const float *src, int64_t rows, int64_t dim) {
    l2norm(dst, src, rows, dim);
}

extern "C" __global__ void __launch_bounds__(IMGVEC_TEAM) l2norm_f16_to_f32(float *dst, const uint16_t *src, int64_t rows, int64_t dim) {
    l2norm(dst, src, rows, dim);
}

// The simulated driver of the tests finds its kernels by name, too.
#ifdef IMGVEC_SIM
#define REGISTER(name, parameters) IMGVEC_KERNEL(name)
#define REGISTER_SYNC(name, parameters) IMGVEC_KERNEL_SYNC(name)
IMGVEC_KERNELS(REGISTER, REGISTER_SYNC)
#endif
