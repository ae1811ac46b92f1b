// Package cuda is the driver face: what the gpu backend asks of NVIDIA's driver, and nothing else talks to it.
//
// With the build tag cuda (on Linux, with cgo) it is gorgonia.org/cu over a trampoline of our own: every driver
// function that the program calls jumps through a slot, and Start fills the slots from libcuda.so.1 at the first use
// of a device. So the program starts without a driver, links none, and makes no driver call before Start. What
// gorgonia.org/cu lacks (page-locked memory, host functions) goes through the same slots. Without the tag a twin has
// the same names and an error that says how to build.
//
// One Go type per memory space: DeviceMemory lies on the device, PinnedMemory is page-locked host memory, and a view
// of it, Pinned, is the only thing that asynchronous copies take, so a Go slice can't be handed to one by mistake.
// Every allocation has a Purpose, under which its bytes are counted.
//
// A Device is the primary context, the one that ONNX Runtime's providers use. A Thread is an OS thread on which it is
// current. Everything of a device must be called inside one of its Threads' Do, save Device's Info, Bytes, NewThread
// and Close and a Stream's Handle.
package cuda
