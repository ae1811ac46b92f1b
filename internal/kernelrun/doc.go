// Package kernelrun runs single CUDA kernels of csrc for tests: on the simulated driver, or on the first GPU where
// IMGVEC_REQUIRE names gpu.
package kernelrun
