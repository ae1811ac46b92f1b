// Package ort opens ONNX Runtime: it finds the library, starts its environment once for the process, registers the
// OpenVINO plugin, and runs sessions on host tensors. Package cpu builds on it, and package gpu will.
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
// Without cgo every function that needs the library says so in its error.
package ort
