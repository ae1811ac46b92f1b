// Package cpu is the Backend that runs models on the CPU, with ONNX Runtime: on the OpenVINO execution provider where
// that is better and works, else on ONNX Runtime's own CPU provider, with the reason in [Info] and [Probe].
//
// # Precision and provider
//
//	                        auto   bf16             fp32 and int8
//	Intel with AMX-BF16     bf16   OpenVINO         OpenVINO
//	other Intel             fp32   refused          OpenVINO
//	AMD with AVX-512 BF16   bf16   OpenVINO         ONNX Runtime's own; OpenVINO for int8 with DequantizeLinear
//	all others              fp32   refused          ONNX Runtime's own
//
// Where bf16 is refused it would be slower than fp32, up to four times; OpenVINO's own
// default is bf16 there too, so fp32 is always asked for by name. On AMD the plugin has to be persuaded, see
// [github.com/imgvec/imgvec/internal/ort.OpenVINOVariable] for how to change that. Whether a model holds its accuracy in
// bf16 is for the caller to know.
//
// A quantised model, one with nodes that compute in int8, runs in int8: auto and int8 are that, and every other precision
// is refused. A model that only stores its weights in int8 is treated like any other.
//
// # Threads
//
// One session holds the weights and computes as many batches at once as it has streams, one thread each: with as many
// streams as threads nobody waits for anybody. Threads are those that Go may use (GOMAXPROCS, which honours a
// container's CPU quota).
//
// # Signals
//
// The package does not touch signals. A host program whose CPU has AMX should call signal.Notify for SIGINT, SIGTERM
// and SIGHUP before the first Run and end with os.Exit: Go's default action raises the signal again on a signal stack
// that is too small for a thread with AMX state, and the process dies with SIGSEGV instead (measured, 7 of 8 times).
package cpu
