// Package gpu will run models on NVIDIA GPUs through ONNX Runtime's CUDA and TensorRT execution providers, with this
// module's kernels in front of them.
//
// This build has no GPU support yet: Probe and Open say so, and name what the machine has, with errors that wrap
// imgvec.ErrNoDevice. Their signatures are the ones that the executor already works against, so that a device choice
// of "auto" falls back to the CPU with a true reason, and one of "cuda:0" fails with a remedy.
package gpu
