package cpu

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
)

// Backend is a model on the CPU. It is safe for concurrent use.
type Backend struct {
	spec     imgvec.Spec
	info     Info
	shapes   *ort.Fit
	table    [3][256]float32
	sessions []*ort.Session // one for all streams, or one a stream
	streams  chan *stream   // the free ones
	closed   chan struct{}
	once     sync.Once
	busy     [2]atomic.Int64 // nanoseconds: normalising, computing
	err      error           // of Close
}

var _ imgvec.Backend = (*Backend)(nil)

// Info says what runs the model, for summaries and metadata.
type Info struct {
	Device    string            `json:"device"`   // "cpu (AMD EPYC)"
	Provider  string            `json:"provider"` // "OpenVINO 2026.4.1", "ONNX Runtime CPU"
	Precision imgvec.Precision  `json:"precision"`
	Streams   int               `json:"streams"`
	Threads   int               `json:"threads"`
	Versions  map[string]string `json:"versions"` // of libraries, by name
	Reason    string            `json:"reason"`   // why this provider and precision, in one line; "" where both were asked for
}

// Info says what runs the model.
func (b *Backend) Info() Info { return b.info }

// Spec is the model's.
func (b *Backend) Spec() imgvec.Spec { return b.spec }

// Streams is how many batches compute at once.
func (b *Backend) Streams() int { return cap(b.streams) }

// Busy is how long the backend has normalised and computed since it was opened, all streams together.
func (b *Backend) Busy() (normalize, session time.Duration) {
	return time.Duration(b.busy[0].Load()), time.Duration(b.busy[1].Load())
}

// Register does nothing: all memory is as near as any other.
func (b *Backend) Register(*imgvec.Batch) error {
	if b.isClosed() {
		return b.errClosed()
	}
	return nil
}

// Run computes the features of the batch in the caller's goroutine, when a stream is free.
func (b *Backend) Run(ctx context.Context, batch *imgvec.Batch) error {
	if b.isClosed() {
		return b.errClosed()
	}
	n := batch.Len()
	if err := ctx.Err(); err != nil || n == 0 {
		return err
	}
	if err := batch.Fits(b.spec); err != nil {
		return err
	}
	select {
	case s := <-b.streams:
		defer func() { b.streams <- s }() // Close waits for it
		return b.compute(s, batch, n)
	case <-b.closed:
		return b.errClosed()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxChunk is the most images that go into one session run: it bounds the scratch of a stream, and larger ones are no
// faster.
const maxChunk = 64

func (b *Backend) compute(s *stream, batch *imgvec.Batch, n int) error {
	for from := 0; from < n; {
		count := min(n-from, maxChunk)
		size := count
		if b.shapes.Fixed > 0 {
			size = b.shapes.Fixed
			count = min(n-from, size)
		}
		if err := s.run(b, batch, from, count, size); err != nil {
			return err
		}
		from += count
	}
	return nil
}

// Close waits for the batches that run and frees the session. It is safe to call at any time and more than once.
func (b *Backend) Close() error {
	b.once.Do(func() {
		close(b.closed)
		for range cap(b.streams) {
			s := <-b.streams
			b.err = errors.Join(b.err, s.free())
		}
		b.err = errors.Join(b.err, b.closeSessions())
	})
	return b.err
}

func (b *Backend) closeSessions() error {
	var errs []error
	for _, session := range b.sessions {
		errs = append(errs, session.Close())
	}
	b.sessions = nil
	return errors.Join(errs...)
}

func (b *Backend) isClosed() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}

func (b *Backend) errClosed() error {
	return fmt.Errorf("imgvec: run model %q: %w", b.spec.Model, imgvec.ErrClosed)
}
