// Compiles a .cu file as ordinary C++, so that its kernels run on the host, one simulated thread after another:
//     g++ -x c++ -include shim.h file.cu
// A kernel is made known with IMGVEC_KERNEL(name), or IMGVEC_KERNEL_SYNC(name) where its threads meet at barriers or
// exchange values; its parameters are 8 bytes each.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#define IMGVEC_SIM 1
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __shared__ static thread_local // one block at a time on a stream's thread

struct dim3 { unsigned x = 1, y = 1, z = 1; };
struct int2 { int x, y; };
struct int4 { int x, y, z, w; };
struct uint2 { unsigned x, y; };
struct uint4 { unsigned x, y, z, w; };
struct uchar3 { unsigned char x, y, z; };
struct uchar4 { unsigned char x, y, z, w; };
struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct double2 { double x, y; };
using std::max;
using std::min;

extern thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;
constexpr int warpSize = 32;
void __syncthreads();
void __syncwarp(unsigned mask = 0xffffffffu);
namespace imgvec_sim {
uint64_t exchange(uint64_t mine, int from_lane); // of the warp, whose lanes all call it
int lane();
void *dynamic_shared();
}
// A block's dynamic shared memory: `extern __shared__ T name[];` is no C++, so kernels say IMGVEC_SHARED(T, name).
#define IMGVEC_SHARED(T, name) T *name = static_cast<T *>(imgvec_sim::dynamic_shared())

template <class T> T __ldg(const T *p) { return *p; }
template <class T> T __ldcs(const T *p) { return *p; }
template <class T> void __stcs(T *p, T v) { *p = v; }
template <class T> T sim_shuffle(T v, int from) {
    static_assert(sizeof(T) <= 8, "shuffles carry up to 8 bytes");
    uint64_t word = 0;
    std::memcpy(&word, &v, sizeof v);
    word = imgvec_sim::exchange(word, from);
    std::memcpy(&v, &word, sizeof v);
    return v;
}
template <class T> T __shfl_sync(unsigned, T v, int from) { return sim_shuffle(v, from & 31); }
template <class T> T __shfl_xor_sync(unsigned, T v, int mask) { return sim_shuffle(v, imgvec_sim::lane() ^ mask); }
template <class T> T __shfl_down_sync(unsigned, T v, unsigned by) {
    int from = imgvec_sim::lane() + int(by);
    return sim_shuffle(v, from < 32 ? from : imgvec_sim::lane());
}
template <class T> T __shfl_up_sync(unsigned, T v, unsigned by) {
    int from = imgvec_sim::lane() - int(by);
    return sim_shuffle(v, from >= 0 ? from : imgvec_sim::lane());
}
template <class T> T atomicAdd(T *p, T v) { T old = *p; *p = old + v; return old; }

// Arithmetic with the rounding in its name. Compile with -ffp-contract=off.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double a) { return std::sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline float __double2float_rn(double a) { return float(a); }
inline float __int2float_rn(int a) { return float(a); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __uint_as_float(unsigned u) { float f; std::memcpy(&f, &u, 4); return f; }
inline unsigned __float_as_uint(float f) { unsigned u; std::memcpy(&u, &f, 4); return u; }
inline float __int_as_float(int u) { float f; std::memcpy(&f, &u, 4); return f; }
inline int __float_as_int(float f) { int u; std::memcpy(&u, &f, 4); return u; }
inline long long __double_as_longlong(double f) { long long u; std::memcpy(&u, &f, 8); return u; }

namespace imgvec_sim {
using Run = void (*)(const uint64_t *args);
bool add(const char *name, Run run, const char *kinds, bool syncs);

template <class T> T word(uint64_t w) {
    static_assert(sizeof(T) == 8, "a kernel's parameters are 64-bit words");
    T v;
    std::memcpy(&v, &w, 8);
    return v;
}
template <class T> constexpr char kind() {
    if constexpr (!std::is_pointer_v<T>) return 'i';
    else return std::is_const_v<std::remove_pointer_t<T>> ? 'r' : 'w';
}
template <auto K> struct Entry;
template <class... A, void (*K)(A...)> struct Entry<K> {
    template <size_t... I> static void call(const uint64_t *w, std::index_sequence<I...>) { K(word<A>(w[I])...); }
    static void run(const uint64_t *w) { call(w, std::index_sequence_for<A...>()); }
    static const char *kinds() {
        static const char text[] = {kind<A>()..., 0};
        return text;
    }
};
} // namespace imgvec_sim
#define IMGVEC_SIM_ADD(name, syncs) \
    static const bool imgvec_sim_##name = imgvec_sim::add(#name, imgvec_sim::Entry<&name>::run, imgvec_sim::Entry<&name>::kinds(), syncs);
#define IMGVEC_KERNEL(name) IMGVEC_SIM_ADD(name, false)
#define IMGVEC_KERNEL_SYNC(name) IMGVEC_SIM_ADD(name, true)
