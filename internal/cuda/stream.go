//go:build cuda && cgo && linux

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// Stream is a queue of work on the device. What is queued on one runs in order. Its methods, save Handle, run inside Do.
type Stream struct {
	device *Device
	stream cu.Stream
	open   bool
}

// NewStream makes a stream that does not wait for the legacy default stream. The caller owns and destroys it. Inside Do.
func (d *Device) NewStream() (*Stream, error) {
	stream, err := cu.MakeStream(cu.NonBlocking)
	if err != nil {
		return nil, d.wrap("cuStreamCreate", err)
	}
	d.held.count("stream", 1)
	return &Stream{device: d, stream: stream, open: true}, nil
}

// Handle is the driver's CUstream, which ONNX Runtime takes as user_compute_stream.
func (s *Stream) Handle() uintptr { return uintptr(s.handle()) }

func (s *Stream) handle() unsafe.Pointer { return unsafe.Pointer(s.stream.C()) }

// Wait makes everything queued on s from now on wait for e as it was recorded last. It does not block the caller.
func (s *Stream) Wait(e *Event) error {
	return s.device.wrap("cuStreamWaitEvent", s.stream.Wait(e.event, 0))
}

// Synchronize blocks until all that is queued on s has run, and tells the first failure of it.
func (s *Stream) Synchronize() error {
	return s.device.wrap("cuStreamSynchronize", s.stream.Synchronize())
}

// Destroy gives the stream back; what is queued on it still runs. Idempotent and nil-safe.
func (s *Stream) Destroy() error {
	if s == nil || !s.open {
		return nil
	}
	s.open = false
	s.device.held.count("stream", -1)
	return s.device.wrapUnlessLost("cuStreamDestroy", s.stream.Destroy())
}

// CopyIn queues a copy from the host to dst from byte at on. src must not change until it has run.
func (s *Stream) CopyIn(dst *DeviceMemory, at int64, src Pinned) error {
	to := dst.part(at, len(src.mem))
	if len(src.mem) == 0 {
		return nil
	}
	err := cu.MemcpyHtoDAsync(to, unsafe.Pointer(unsafe.SliceData(src.mem)), int64(len(src.mem)), s.stream)
	return s.device.wrap("cuMemcpyHtoDAsync", err)
}

// CopyOut queues a copy from src, from byte at on, to the host. dst must not be read until it has run.
func (s *Stream) CopyOut(dst Pinned, src *DeviceMemory, at int64) error {
	from := src.part(at, len(dst.mem))
	if len(dst.mem) == 0 {
		return nil
	}
	err := cu.MemcpyDtoHAsync(unsafe.Pointer(unsafe.SliceData(dst.mem)), from, int64(len(dst.mem)), s.stream)
	return s.device.wrap("cuMemcpyDtoHAsync", err)
}

// HostFunc queues a call of the C function void fn(void *data) on a thread of the driver. fn must not call the driver,
// and data must live until it has run.
func (s *Stream) HostFunc(fn, data unsafe.Pointer) error {
	return s.device.wrapCode("cuLaunchHostFunc", int(C.cuLaunchHostFunc(s.handle(), fn, data)))
}
