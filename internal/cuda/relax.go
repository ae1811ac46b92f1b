//go:build cuda && cgo && linux

package cuda

/*
#include "driver.h"
*/
import "C"

import "runtime"

// relaxedMode is the driver's CU_STREAM_CAPTURE_MODE_RELAXED.
const relaxedMode = 2

// relax lets the calling OS thread allocate, free and wait while another thread captures a CUDA graph. ONNX Runtime captures
// in the global mode, under which such a call on any thread that has not been relaxed fails, and the capture with it.
// It returns the mode before. A driver that can't do it leaves everything as it was.
func relax() (before C.int) {
	before = relaxedMode
	C.cuThreadExchangeStreamCaptureMode(&before)
	return before
}

// relaxed calls f on an OS thread that is relaxed meanwhile.
func relaxed(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := relax()
	defer C.cuThreadExchangeStreamCaptureMode(&before)
	return f()
}
