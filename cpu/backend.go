package cpu

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/pool"
)

// Backend is a model on the CPU. It is safe for concurrent use.
type Backend struct {
	spec     imgvec.Spec
	info     Info
	shapes   *ort.Fit
	table    [3][256]float32
	sessions []*ort.Session // one for all streams, or one a stream
	streams  *pool.Pool[*stream]
	busy     [2]atomic.Int64 // nanoseconds: normalising, computing
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
func (b *Backend) Streams() int { return b.streams.Size() }

// Busy is how long the backend has normalised and computed since it was opened, all streams together.
func (b *Backend) Busy() (normalize, session time.Duration) {
	return time.Duration(b.busy[0].Load()), time.Duration(b.busy[1].Load())
}

// Register does nothing: all memory is as near as any other.
func (b *Backend) Register(*imgvec.Batch) error {
	return b.streams.Err()
}

// Run computes the features of the batch in the caller's goroutine, when a stream is free.
func (b *Backend) Run(ctx context.Context, batch *imgvec.Batch) error {
	if err := b.streams.Err(); err != nil {
		return err
	}
	n := batch.Len()
	if err := ctx.Err(); err != nil || n == 0 {
		return err
	}
	if err := batch.Fits(b.spec); err != nil {
		return err
	}
	s, err := b.streams.Take(ctx)
	if err != nil {
		return err
	}
	defer b.streams.Give(s) // Close waits for it
	return b.compute(s, batch, n)
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
	return b.streams.Close(func(all []*stream) error {
		var errs []error
		for _, s := range all {
			errs = append(errs, s.free())
		}
		return errors.Join(append(errs, b.closeSessions())...)
	})
}

func (b *Backend) closeSessions() error {
	var errs []error
	for _, session := range b.sessions {
		errs = append(errs, session.Close())
	}
	b.sessions = nil
	return errors.Join(errs...)
}
