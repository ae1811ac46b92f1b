// Package gpu is the Backend that runs models on NVIDIA GPUs, through ONNX Runtime's TensorRT and CUDA execution
// providers, with this module's kernels in front of them.
//
// # The way of a batch
//
// A [Backend] has as many streams as batches may be in flight (two by default). Each has a session of its own, device
// memory for one batch of the largest size, and three CUDA streams that events put in order:
//
//	copy in    uint8 pixels, host -> device
//	compute    normalise (a look-up, equal to the CPU's to the bit) -> session -> float32 features, of length 1 where asked
//	copy out   features, device -> host
//
// The compute stream is the session's user_compute_stream, and nothing on it is waited for: a caller waits for the last
// event of its own batch only. So one stream copies while the other computes.
//
// Batches run in a few fixed sizes ([Info].Buckets), so that each can be a CUDA graph, with memory that never moves; a
// batch of another size takes the next larger one, and what is computed for the places behind its end is not looked at.
//
// # Precision
//
// In fp16 the model is converted once, when it is opened (see internal/onnx: float16 inside, float32 features out), and
// kept in the cache; a model that is float16 itself is used as it is. In fp32 TF32 is off, which TensorRT
// can't be told here: it is not used for fp32.
//
// # Build
//
// GPU support is in with the build tag cuda. Without it Look, Devices and Open say so, with errors that wrap
// imgvec.ErrNoDevice. No library is opened, and no driver call made, before one of them is called.
//
// # The simulated driver
//
// On the simulated driver of the tests the copies, kernels, streams and events are simulated and the network runs on
// ONNX Runtime's CPU provider. [Info] and [Report] say so.
package gpu
