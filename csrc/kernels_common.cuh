// kernels_common.cuh: what the kernels share. All of this compiles with NVRTC and, for tests, as C++17 for the host.
#ifndef IMGVEC_KERNELS_COMMON_CUH
#define IMGVEC_KERNELS_COMMON_CUH
#include "imgvec.h"

#define DEVICE __device__ __forceinline__
#ifdef __CUDACC__
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1") // not the hot loop: keep it small
#else
#define UNROLL
#define ROLLED
#endif

// Elements are moved about as bits: uint32_t for a float, uint16_t for a half.
union float_bits {
    uint32_t u;
    float f;
};

// N words that are loaded and stored by one instruction where ALIGN says N words.
template <int N, int ALIGN> struct alignas(ALIGN) words {
    uint32_t w[N];
};

DEVICE static bool aligned(const void *p, uint64_t to) { return (reinterpret_cast<uint64_t>(p) & (to - 1)) == 0; }

// A host is more forgiving than a GPU: on the simulated driver, too, a vector off its alignment is a bad address, and
// shared memory begins with anything in it.
#ifdef IMGVEC_SIM
inline void check_alignment(const void *p, uint64_t to) {
    volatile uint64_t nowhere = 0; // volatile: else the compiler knows that this never happens
    if (!aligned(p, to)) *reinterpret_cast<volatile char *>(nowhere) = 0;
}
#define SPOIL(shared) \
    if (threadIdx.x == 0) memset(shared, 0xa5, sizeof shared)
#else
DEVICE static void check_alignment(const void *, uint64_t) {}
#define SPOIL(shared)
#endif

template <class W> DEVICE W load(const void *p) {
    check_alignment(p, alignof(W));
    return *static_cast<const W *>(p);
}
template <class W> DEVICE void store(void *p, const W &v) {
    check_alignment(p, alignof(W));
    *static_cast<W *>(p) = v;
}

template <int N, int ALIGN> DEVICE uint32_t byte_of(const words<N, ALIGN> &v, int i) { return v.w[i / 4] >> (i % 4 * 8) & 0xff; }

// Puts element i of type T into words that were zero.
template <class T, int N, int ALIGN> DEVICE void set(words<N, ALIGN> &v, int i, T value) {
    const int at = i * static_cast<int>(sizeof(T));
    v.w[at / 4] |= static_cast<uint32_t>(value) << (at % 4 * 8);
}

DEVICE static int64_t thread_number() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
DEVICE static int64_t thread_count() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

#endif
