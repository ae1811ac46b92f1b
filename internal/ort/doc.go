// Package ort opens ONNX Runtime: it finds the library, starts its environment once for the process, registers the
// OpenVINO plugin, and runs sessions on host tensors. Packages cpu and gpu build on it.
//
// # What it guards against
//
// ONNX Runtime's official Linux builds write telemetry files unless ORT_DISABLE_TELEMETRY is set before the environment
// exists. A truncated library kills the process in dlopen, so every file is checked before. A library of another
// version prints on stderr when asked for an API that it lacks, so its version is read first. An environment that was
// destroyed can't be made again, and a plugin that is unregistered takes live sessions with it, so neither happens
// here, and a host program that uses onnxruntime_go as well must not do so either. The package works with an environment
// that the host made before.
//
// # OpenVINO on CPUs that are not Intel's
//
// The plugin lists Intel's CPUs only. Where that costs speed (AMD with AVX-512 BF16), the CPU passes for Intel's while the
// plugin is registered, and not a moment longer; see vendor_linux.go and [OpenVINOVariable].
//
// # GPUs
//
// ONNX Runtime's build for GPUs (HOME/lib/onnxruntime-gpu, of "imgvec setup --gpu") holds the same core and, beside it, the
// providers for CUDA and TensorRT, which it opens from its own folder only. A process has one core, so [Start] chooses
// once: what an option or a variable names; else the build for GPUs where the kernel has a driver for them (or
// $IMGVEC_CUDA_DRIVER names one), else the CPU's; each of the two where the other is not there. OpenVINO's plugin runs on either.
//
// A provider that is opened before what it needs is an obscure error at best, and opened by hand it ends the process. So
// [StartGPU] finds and checks every library, opens it by its full path (their sonames are known to the loader from then
// on, so that no search path has to be set), asks it for its version, and lets the core open the provider only when
// nothing is missing. What the system has is used where HOME has none.
//
// [OpenDevice] makes sessions whose input and output stay in the device's memory, queued on the caller's stream. What
// onnxruntime_go lacks for that is in shim_linux.c, and docs/decisions/0007 has what had to be known about ONNX Runtime.
//
// Without cgo every function that needs the library says so in its error.
package ort
