//go:build !cgo

package csrc

import (
	"errors"
	"time"
)

// Worker is the scratch memory of one goroutine. It must be closed.
type Worker struct {
	scratch []uint8
	resized time.Duration
}

// NewWorker makes a worker that holds no memory yet.
func NewWorker() (*Worker, error) { return &Worker{}, nil }

// Close frees the worker's memory. It is idempotent.
func (w *Worker) Close() { w.scratch = nil }

// Bytes is the scratch memory that the worker holds between calls.
func (w *Worker) Bytes() int64 { return int64(cap(w.scratch)) }

// Resample resizes src into dst by the plan.
func (w *Worker) Resample(p Plan, src Pixels, dst []uint8) error {
	src.check()
	p.check(dst, src.Width, src.Height)
	start := time.Now()
	w.scratch = trim(resampleGo(p, src, dst, w.scratch))
	w.resized += time.Since(start)
	return nil
}

// JPEG is a libjpeg-turbo, opened at run time. This build has none: it was made without cgo.
type JPEG struct{}

// OpenJPEG says that libjpeg needs cgo.
func OpenJPEG(string) (*JPEG, error) {
	return nil, errors.New("this program was built without cgo, which libjpeg needs: build it with CGO_ENABLED=1")
}

// Version is empty.
func (*JPEG) Version() string { return "" }

// Path is empty.
func (*JPEG) Path() string { return "" }

// JPEGInto fails: there is no JPEG in a build without cgo.
func (w *Worker) JPEGInto(*JPEG, Plan, []byte, int, int, bool, []uint8) (warnings int, err error) {
	return 0, errors.New("this program was built without cgo, which libjpeg needs: build it with CGO_ENABLED=1")
}
