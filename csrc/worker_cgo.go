//go:build cgo

package csrc

// #cgo LDFLAGS: -ldl
// #include "imgvec.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"
)

// Worker is the scratch memory and the decoder state of one goroutine. It must be closed.
type Worker struct {
	native  *C.imgvec_worker
	scratch []uint8 // of the Go twin
	resized time.Duration
}

// NewWorker makes a worker that holds no memory yet.
func NewWorker() (*Worker, error) {
	native := C.imgvec_worker_new()
	if native == nil {
		return nil, errors.New("imgvec: new worker: out of memory")
	}
	return &Worker{native: native}, nil
}

// Close frees the worker's memory. It is idempotent.
func (w *Worker) Close() {
	C.imgvec_worker_free(w.native)
	w.native, w.scratch = nil, nil
}

// Bytes is the scratch memory that the worker holds between calls.
func (w *Worker) Bytes() int64 {
	if w.native == nil {
		return 0
	}
	return int64(C.imgvec_worker_bytes(w.native)) + int64(cap(w.scratch))
}

// Resample resizes src into dst by the plan.
func (w *Worker) Resample(p Plan, src Pixels, dst []uint8) error {
	src.check()
	p.check(dst, src.Width, src.Height)
	start := time.Now()
	defer func() { w.resized += time.Since(start) }()
	if p.Level == Go {
		w.scratch = trim(resampleGo(p, src, dst, w.scratch))
		return nil
	}
	status := C.imgvec_resample(w.native, p.native(), p.X.native(), p.Y.native(), pointer(src.Pix), C.int64_t(len(src.Pix)),
		C.int64_t(src.Stride), C.int32_t(src.Step), pointer(dst))
	runtime.KeepAlive(w)
	if status.code != C.IMGVEC_OK {
		return statusError(status)
	}
	return nil
}

// JPEGInto decodes a JPEG file of the given size and resizes it into dst, scanline by scanline. Damage that Pillow
// accepts too is counted in warnings. careful decodes also what the plan does not use; the result is the same.
func (w *Worker) JPEGInto(lib *JPEG, p Plan, data []byte, width, height int, careful bool, dst []uint8) (warnings int, err error) {
	p.check(dst, width, height)
	if len(data) == 0 {
		return 0, fmt.Errorf("%w: no data", ErrTruncated)
	}
	status := C.imgvec_jpeg_into(w.native, lib.native, p.native(), p.X.native(), p.Y.native(), pointer(data), C.int64_t(len(data)),
		C.int32_t(width), C.int32_t(height), cbool(careful), pointer(dst))
	runtime.KeepAlive(w)
	w.resized += time.Duration(status.resize_ns)
	if status.code != C.IMGVEC_OK {
		return int(status.warnings), statusError(status)
	}
	return int(status.warnings), nil
}

func (p Plan) native() C.imgvec_plan {
	return C.imgvec_plan{level: nativeLevel(p.Level), rows_first: cbool(p.RowsFirst), transpose: cbool(p.Transpose),
		flip_y: cbool(p.FlipY), deep: cbool(p.Deep), stride: C.int64_t(p.Stride)}
}

func (a *Axis) native() *C.imgvec_axis { return (*C.imgvec_axis)(unsafe.Pointer(&a.words[0])) }

func pointer(b []uint8) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

// statusError takes a failed status by value: its copy goes to the heap, and a successful one never does.
func statusError(s C.imgvec_status) error {
	text := C.GoString(&s.text[0])
	switch s.code {
	case C.IMGVEC_TRUNCATED:
		return fmt.Errorf("%w: %s", ErrTruncated, text)
	case C.IMGVEC_BROKEN, C.IMGVEC_SCANS:
		return fmt.Errorf("%w: %s", ErrBroken, text)
	}
	return errors.New(text)
}
