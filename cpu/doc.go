// Package cpu is the Backend that runs models on the CPU, with ONNX Runtime: on the OpenVINO execution provider where
// its plugin is found and sound, else on ONNX Runtime's own CPU provider, with the reason in [Info] and [Probe].
//
// # Precision
//
// bfloat16 is chosen only where the CPU has AMX-BF16. On other CPUs OpenVINO emulates it, up to four times slower than
// float32, and by default, so float32 is always asked for by name. Whether a model holds its accuracy in bfloat16 is
// for the caller to know.
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
