// The simulator under the sanitizers, without Go: several threads drive several devices through everything that its
// threads share. `make simcheck` runs it; the functional tests are in internal/cudasim.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

using Address = unsigned long long;
using Handle = void *;
extern "C" {
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(Handle *, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(Handle);
int cuMemAlloc_v2(Address *, size_t);
int cuMemFree_v2(Address);
int cuMemHostAlloc(Handle *, size_t, unsigned);
int cuMemFreeHost(Handle);
int cuMemHostRegister_v2(Handle, size_t, unsigned);
int cuMemHostUnregister(Handle);
int cuMemcpyHtoDAsync_v2(Address, const void *, size_t, Handle);
int cuMemcpyDtoHAsync_v2(void *, Address, size_t, Handle);
int cuStreamCreate(Handle *, unsigned);
int cuStreamDestroy_v2(Handle);
int cuStreamSynchronize(Handle);
int cuStreamWaitEvent(Handle, Handle, unsigned);
int cuEventCreate(Handle *, unsigned);
int cuEventDestroy_v2(Handle);
int cuEventRecord(Handle, Handle);
int cuEventSynchronize(Handle);
int cuModuleLoadData(Handle *, const void *);
int cuModuleUnload(Handle);
int cuModuleGetFunction(Handle *, Handle, const char *);
int cuLaunchKernel(Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Handle, void **, void **);
int cuLaunchHostFunc(Handle, void (*)(void *), void *);
int imgvec_sim_reset(int, char *, size_t);
void imgvec_sim_hang(int, long);
void imgvec_sim_fail(int, const char *, long, int, long);
void imgvec_sim_lag(long);
void imgvec_sim_touch(const void *, size_t, void *, size_t);
size_t imgvec_sim_violations(char *, size_t);
}

#define MUST(call)                                                                \
    do {                                                                          \
        if (int code = (call)) {                                                  \
            fprintf(stderr, "%s:%d: %s: code %d\n", __FILE__, __LINE__, #call, code); \
            exit(1);                                                              \
        }                                                                         \
    } while (0)

static const char PTX[] = ".version 8.0\n.visible .entry sim_block_sum(\n.visible .entry sim_overrun(\n";
constexpr size_t N = 1000, SUMS = 4, BLOCK = 32; // few: a fiber is costly under the thread sanitizer

static void halve(void *data) {
    auto p = static_cast<float *>(data);
    imgvec_sim_touch(p, SUMS * sizeof *p, p, SUMS * sizeof *p);
    for (size_t i = 0; i < SUMS; i++) p[i] /= 2;
}

// drive runs batches through a device, with three streams and the events between them.
static void drive(int device, int rounds) {
    Handle ctx, in, compute, out, copied, computed, done, module, kernel, src, dst;
    Address a, b;
    std::vector<char> own(N * 4);
    MUST(cuDevicePrimaryCtxRetain(&ctx, device));
    MUST(cuCtxSetCurrent(ctx));
    for (auto s : {&in, &compute, &out}) MUST(cuStreamCreate(s, 1));
    for (auto e : {&copied, &computed, &done}) MUST(cuEventCreate(e, 1));
    MUST(cuMemAlloc_v2(&a, N * 4));
    MUST(cuMemAlloc_v2(&b, SUMS * 4));
    MUST(cuMemHostAlloc(&src, N * 4, 1));
    MUST(cuMemHostAlloc(&dst, SUMS * 4, 1));
    MUST(cuMemHostRegister_v2(own.data(), own.size(), 1));
    MUST(cuModuleLoadData(&module, PTX));
    MUST(cuModuleGetFunction(&kernel, module, "sim_block_sum"));
    for (int round = 0; round < rounds; round++) {
        auto values = static_cast<float *>(round % 2 ? src : own.data());
        for (size_t i = 0; i < N; i++) values[i] = float(round + device);
        int64_t n = N;
        void *params[] = {&b, &a, &n};
        MUST(cuMemcpyHtoDAsync_v2(a, values, N * 4, in));
        MUST(cuEventRecord(copied, in));
        MUST(cuStreamWaitEvent(compute, copied, 0));
        MUST(cuLaunchKernel(kernel, SUMS, 1, 1, BLOCK, 1, 1, 0, compute, params, nullptr));
        MUST(cuLaunchHostFunc(compute, halve, reinterpret_cast<void *>(b)));
        MUST(cuEventRecord(computed, compute));
        MUST(cuStreamWaitEvent(out, computed, 0));
        MUST(cuMemcpyDtoHAsync_v2(dst, b, SUMS * 4, out));
        MUST(cuEventRecord(done, out));
        MUST(cuEventSynchronize(done));
        float want = BLOCK / 2 * float(round + device), got = *static_cast<float *>(dst);
        if (got != want) {
            fprintf(stderr, "device %d, round %d: %g, want %g\n", device, round, got, want);
            exit(1);
        }
    }
    MUST(cuMemHostUnregister(own.data()));
    for (auto p : {src, dst}) MUST(cuMemFreeHost(p));
    for (auto p : {a, b}) MUST(cuMemFree_v2(p));
    MUST(cuModuleUnload(module));
    for (auto e : {copied, computed, done}) MUST(cuEventDestroy_v2(e));
    for (auto s : {in, compute, out}) MUST(cuStreamDestroy_v2(s));
    MUST(cuCtxSetCurrent(nullptr));
    MUST(cuDevicePrimaryCtxRelease_v2(device));
}

static void fresh(int devices, bool clean) {
    static char text[1 << 17];
    if (clean && imgvec_sim_violations(text, sizeof text)) {
        fprintf(stderr, "violations:\n%s", text);
        exit(1);
    }
    if (imgvec_sim_reset(devices, text, sizeof text) && clean) {
        fprintf(stderr, "left over: %s\n", text);
        exit(1);
    }
}

static void together(int devices, int threads, int rounds) {
    std::vector<std::thread> all;
    for (int i = 0; i < threads; i++) all.emplace_back(drive, i % devices, rounds);
    for (auto &t : all) t.join();
}

// hang leaves a machine while a thread waits for it, and one that is lost by a kernel.
static void hang(bool overrun) {
    Handle ctx, s, module, kernel;
    Address a;
    MUST(cuDevicePrimaryCtxRetain(&ctx, 0));
    MUST(cuCtxSetCurrent(ctx));
    MUST(cuStreamCreate(&s, 1));
    MUST(cuMemAlloc_v2(&a, 256));
    MUST(cuModuleLoadData(&module, PTX));
    MUST(cuModuleGetFunction(&kernel, module, "sim_overrun"));
    int64_t n = 64, by = overrun ? 1 : 0;
    void *params[] = {&a, &n, &by};
    if (!overrun) imgvec_sim_hang(0, 1);
    MUST(cuLaunchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, s, params, nullptr));
    std::atomic<int> code{-1};
    std::thread waiting([&] {
        cuCtxSetCurrent(ctx);
        code = cuStreamSynchronize(s);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (overrun) waiting.join();
    fresh(1, false);
    if (!overrun) waiting.join();
    if (code == 0) {
        fprintf(stderr, "the wait for a device that %s ended well\n", overrun ? "failed" : "hung");
        exit(1);
    }
    cuCtxSetCurrent(nullptr);
}

int main() {
    fresh(4, true);
    MUST(cuInit(0));
    together(4, 8, 10);
    imgvec_sim_lag(200);
    together(4, 8, 5);
    fresh(1, true);
    together(1, 3, 10);
    fresh(1, true);
    hang(false);
    hang(true);
    fresh(2, true);
    together(2, 2, 3);
    fresh(1, true);
    puts("ok");
}
