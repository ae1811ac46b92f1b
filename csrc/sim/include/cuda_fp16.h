// Stand-in for NVIDIA's cuda_fp16.h: the few conversions our kernels use.
#pragma once
#include <cstdint>
#include <cstring>
struct __half { uint16_t bits; };
inline __half __float2half_rn(float f) {
    uint32_t u; std::memcpy(&u, &f, 4);
    uint32_t sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a > 0x7f800000) return {uint16_t(sign | 0x7fff)};
    if (a >= 0x477ff000) return {uint16_t(sign | 0x7c00)};             // rounds to infinity
    if (a >= 0x38800000) {                                             // normal: round to nearest even
        a += 0xfff + (a >> 13 & 1);
        return {uint16_t(sign | ((a - 0x38000000) >> 13))};
    }
    float m; std::memcpy(&m, &a, 4); m += 0.5f;                        // subnormal: the adder rounds
    std::memcpy(&a, &m, 4);
    return {uint16_t(sign | (a - 0x3f000000))};
}
inline float __half2float(__half h) {
    uint32_t s = uint32_t(h.bits & 0x8000) << 16, e = h.bits >> 10 & 31, m = h.bits & 0x3ff, u;
    if (e == 31) u = s | 0x7f800000 | m << 13;
    else if (e) u = s | (e + 112) << 23 | m << 13;
    else { float f = m * 0x1p-24f; std::memcpy(&u, &f, 4); u |= s; }
    float f; std::memcpy(&f, &u, 4); return f;
}
inline unsigned short __half_as_ushort(__half h) { return h.bits; }
inline __half __ushort_as_half(unsigned short bits) { return {bits}; }
