// Package csrc holds the module's native pixel loops, and next to each its twin in plain Go.
//
// The C code is compiled with cgo into the binary and needs nothing but libc; image codecs are opened at run time.
// Without cgo the same functions run their Go twins. Every variant of a loop (plain Go, plain C, AVX2, AVX-512)
// gives the same bytes; the environment variable IMGVEC_SIMD=go|c|avx2|avx512 forces one of them, see [Choose].
//
// The CUDA kernels (kernels.cu, in [PTX] form part of every build) do the same work on a GPU, to the bit; package gold has
// their plain loops. [NormalizeKernel], [Grid] and [Plan.Passes] say how to launch them; this package calls no driver.
//
// The functions are for the packages preprocess, cpu and gpu. They check the lengths of what they are given and panic with
// "imgvec: BUG" where these are wrong; nothing in here allocates in steady state, prints or keeps its arguments.
package csrc
