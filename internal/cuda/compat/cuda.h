/* Lets gorgonia.org/cu v0.9.6, written for the driver's functions of CUDA 9 to 12, compile with a CUDA 13 header. CUDA 13
 * gave five functions other parameters under their old names; the driver still has them as they were, so they are
 * declared here as cu calls them and bound to the old names. With an older header this adds nothing.
 * Use: CGO_CFLAGS="-O2 -g -I<this folder> -I<the toolkit's include folder>"; scripts/cuda-env.sh prints it. */
#ifndef IMGVEC_COMPAT_CUDA_H
#define IMGVEC_COMPAT_CUDA_H
#include_next <cuda.h>
#if CUDA_VERSION >= 13000
#undef cuCtxCreate
#undef cuMemAdvise
#undef cuMemPrefetchAsync
#undef cuGraphAddDependencies
#undef cuGraphGetEdges
CUresult cuCtxCreate(CUcontext *, unsigned int, CUdevice) __asm__("cuCtxCreate_v2");
CUresult cuMemAdvise(CUdeviceptr, size_t, CUmem_advise, CUdevice) __asm__("cuMemAdvise");
CUresult cuMemPrefetchAsync(CUdeviceptr, size_t, CUdevice, CUstream) __asm__("cuMemPrefetchAsync");
CUresult cuGraphAddDependencies(CUgraph, const CUgraphNode *, const CUgraphNode *, size_t) __asm__("cuGraphAddDependencies");
CUresult cuGraphGetEdges(CUgraph, CUgraphNode *, CUgraphNode *, size_t *) __asm__("cuGraphGetEdges");
#endif
#endif
