// Kernels for the simulator's own tests.
extern "C" __global__ void sim_add(float *dst, const float *src, int64_t n, int64_t by) {
    for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += int64_t(gridDim.x) * blockDim.x) dst[i] = src[i] + float(by);
}
IMGVEC_KERNEL(sim_add)

// Sums of blocks of 256, by a tree in shared memory.
extern "C" __global__ void sim_block_sum(float *dst, const float *src, int64_t n) {
    __shared__ float s[256];
    unsigned t = threadIdx.x;
    int64_t i = int64_t(blockIdx.x) * blockDim.x + t;
    s[t] = i < n ? src[i] : 0;
    __syncthreads();
    for (unsigned w = blockDim.x / 2; w; w /= 2) {
        if (t < w) s[t] += s[t + w];
        __syncthreads();
    }
    alignas(16) float four[4];
    float *aligned = four;
    asm("" : "+r"(aligned)); // the compiler takes the alignment for granted
    if (!t) dst[blockIdx.x] = reinterpret_cast<uintptr_t>(aligned) % 16 ? -1 : s[0];
}
IMGVEC_KERNEL_SYNC(sim_block_sum)

// The same by shuffles in warps, then dynamic shared memory.
extern "C" __global__ void sim_warp_sum(float *dst, const float *src, int64_t n) {
    IMGVEC_SHARED(float, s);
    unsigned t = threadIdx.x;
    int64_t i = int64_t(blockIdx.x) * blockDim.x + t;
    float v = i < n ? src[i] : 0;
    for (unsigned w = 16; w; w /= 2) v += __shfl_down_sync(0xffffffffu, v, w);
    if (t % 32 == 0) s[t / 32] = v;
    __syncthreads();
    if (t) return;
    for (unsigned w = 1; w < blockDim.x / 32; w++) v += s[w];
    dst[blockIdx.x] = v;
}
IMGVEC_KERNEL_SYNC(sim_warp_sum)

// Half of the block never comes to the barrier of the other half.
extern "C" __global__ void sim_divergent(float *dst) {
    if (threadIdx.x % 2) __syncthreads();
    else __syncwarp();
    dst[threadIdx.x] = 1;
}
IMGVEC_KERNEL_SYNC(sim_divergent)

// Writes `by` elements behind the end.
extern "C" __global__ void sim_overrun(float *dst, int64_t n, int64_t by) {
    if (!blockIdx.x && !threadIdx.x) dst[n - 1 + by] = 1;
}
IMGVEC_KERNEL(sim_overrun)
