// Start and devices: what the simulated GPUs say about themselves.
#include "sim.h"
#include <cstdio>
#include <cstring>

namespace sim {

extern bool started;

constexpr int MULTIPROCESSORS = 2; // few, so that grids made for them are small

static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
static void uuid_bytes(int physical, unsigned char out[16]) {
    for (int i = 0; i < 2; i++) {
        uint64_t v = mix(uint64_t(physical) * 2 + i + 1);
        for (int j = 0; j < 8; j++) out[8 * i + j] = (unsigned char)(v >> (8 * j));
    }
}
std::string device_uuid(int physical) {
    unsigned char b[16];
    uuid_bytes(physical, b);
    std::string text = "GPU-";
    for (int i = 0; i < 16; i++) {
        char two[3];
        snprintf(two, sizeof two, "%02x", b[i]);
        text += two;
        if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
    }
    return text;
}
static int pci_bus(const Device *d) { return (0x3b + 0x0c * d->physical) & 0xff; }

API int cuInit(unsigned flags) {
    Call c("cuInit", NOTHING);
    if (flags) return INVALID_VALUE;
    if (c.w->devices.empty()) return NO_DEVICE;
    if (int code = fault(c.w, c.w->devices[0], "cuInit", false)) return code;
    started = true;
    return OK;
}
API int cuDriverGetVersion(int *version) {
    Call c("cuDriverGetVersion", NOTHING);
    if (!version) return INVALID_VALUE;
    *version = 13000;
    return OK;
}
API int cuDeviceGetCount(int *n) {
    Call c("cuDeviceGetCount", STARTED);
    if (!c.code) *n = int(c.w->devices.size());
    return c.code;
}
API int cuDeviceGet(int *out, int i) {
    Call c("cuDeviceGet", STARTED);
    if (c.device(i)) *out = i;
    return c.code;
}
API int cuDeviceGetName(char *out, int n, int i) {
    Call c("cuDeviceGetName", STARTED);
    if (Device *d = c.device(i)) snprintf(out, size_t(n), "Simulated GPU %d", d->physical);
    return c.code;
}
static int get_uuid(Call &c, void *out, int i) {
    if (Device *d = c.device(i)) uuid_bytes(d->physical, static_cast<unsigned char *>(out));
    return c.code;
}
API int cuDeviceGetUuid(void *out, int i) {
    Call c("cuDeviceGetUuid", STARTED);
    return get_uuid(c, out, i);
}
API int cuDeviceGetUuid_v2(void *out, int i) {
    Call c("cuDeviceGetUuid_v2", STARTED);
    return get_uuid(c, out, i);
}
API int cuDeviceTotalMem_v2(size_t *n, int i) {
    Call c("cuDeviceTotalMem_v2", STARTED);
    if (c.device(i)) *n = c.w->memory;
    return c.code;
}
API int cuDeviceGetPCIBusId(char *out, int n, int i) {
    Call c("cuDeviceGetPCIBusId", STARTED);
    if (Device *d = c.device(i)) snprintf(out, size_t(n), "0000:%02X:00.0", pci_bus(d));
    return c.code;
}
API int cuDeviceComputeCapability(int *major, int *minor, int i) {
    Call c("cuDeviceComputeCapability", STARTED);
    if (c.device(i)) *major = 9, *minor = 0;
    return c.code;
}

static int attribute(const Device *d, int a) {
    switch (a) {
    case 1: case 2: case 3: return 1024; // threads of a block, and in x, y
    case 4: return 64;
    case 5: return 0x7fffffff; // blocks of a grid in x
    case 6: case 7: return 65535;
    case 8: return 49152; // shared memory of a block
    case 9: return 65536; // constant memory
    case 10: return 32;   // warp
    case 12: return 65536; // registers of a block
    case 13: return 1000000; // clock, kHz
    case 15: return 1;
    case 16: return MULTIPROCESSORS;
    case 19: case 31: return 1; // maps host memory, runs several kernels
    case 33: return pci_bus(d);
    case 34: case 50: return 0; // PCI device and domain
    case 36: return 1000000; // memory clock, kHz
    case 37: return 256;     // memory bus, bits
    case 38: return 1 << 20; // second level cache
    case 39: return 2048;    // threads of a multiprocessor
    case 40: return 2;       // copy engines
    case 41: return 1;       // one address space with the host
    case 75: return 9;
    case 76: return 0;
    case 78: return 1; // stream priorities
    case 81: case 82: return a == 81 ? 102400 : 65536;
    case 91: return 1; // host pointers of registered memory work on the device
    case 97: return 49152;
    }
    return 0;
}
API int cuDeviceGetAttribute(int *out, int a, int i) {
    Call c("cuDeviceGetAttribute", STARTED);
    if (Device *d = c.device(i)) *out = attribute(d, a);
    return c.code;
}
API int cuDeviceCanAccessPeer(int *out, int i, int j) {
    Call c("cuDeviceCanAccessPeer", STARTED);
    if (c.device(i) && c.device(j)) *out = 0;
    return c.code;
}

// ---- errors ----

struct Name {
    int code;
    const char *name, *text;
};
static const Name NAMES[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {4, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {220, "CUDA_ERROR_NVLINK_UNCORRECTABLE", "uncorrectable NVLink error detected during the execution"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {401, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {708, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", "cannot set while device is active in this process"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {710, "CUDA_ERROR_ASSERT", "device-side assert triggered"},
    {712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "part or all of the requested memory range is already mapped"},
    {713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "pointer does not correspond to a registered memory region"},
    {714, "CUDA_ERROR_HARDWARE_STACK_ERROR", "hardware stack error"},
    {715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", "operation not supported on global/shared address space"},
    {718, "CUDA_ERROR_INVALID_PC", "invalid program counter"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {800, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};
static int look_up(int code, const char **out, const char *Name::*field) {
    for (auto &n : NAMES)
        if (n.code == code) {
            *out = n.*field;
            return OK;
        }
    *out = nullptr;
    return INVALID_VALUE;
}
API int cuGetErrorName(int code, const char **out) {
    Call c("cuGetErrorName", NOTHING);
    return look_up(code, out, &Name::name);
}
API int cuGetErrorString(int code, const char **out) {
    Call c("cuGetErrorString", NOTHING);
    return look_up(code, out, &Name::text);
}

} // namespace sim
