package gpu

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/cuda"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/pool"
)

// Backend is a model on one GPU. It is safe for concurrent use.
type Backend struct {
	spec imgvec.Spec
	info Info
	fit  *ort.Fit // of the model that runs: float16 where it was converted

	device    *cuda.Device
	service   *cuda.Thread // for what belongs to no stream
	kernels   kernels
	all       []*stream
	streams   *pool.Pool[*stream]
	registry  registry
	busy      [stageCount]atomic.Int64 // nanoseconds on the device
	normalize bool                     // L2
	simulated bool
}

var _ imgvec.Backend = (*Backend)(nil)

// Busy is how long the device worked on each step, by its own events, all streams together. Streams overlap, so the sum
// may exceed the time that passed.
type Busy struct {
	H2D, Normalize, Session, D2H time.Duration
}

// Info says what runs the model.
func (b *Backend) Info() Info { return b.info }

// Spec is the model's.
func (b *Backend) Spec() imgvec.Spec { return b.spec }

// Streams is how many batches are in flight at once.
func (b *Backend) Streams() int { return b.info.Streams }

// Busy is how long the device has worked since the model was opened.
func (b *Backend) Busy() Busy {
	at := func(s stage) time.Duration { return time.Duration(b.busy[s].Load()) }
	return Busy{at(stageH2D), at(stageNormalize), at(stageSession), at(stageD2H)}
}

// Bytes is the memory that the backend holds, by what it is for. That of the sessions is not in it: ONNX Runtime
// allocates it.
func (b *Backend) Bytes() map[string]int64 {
	held := map[string]int64{}
	for purpose, n := range b.device.Bytes() {
		held[string(purpose)] = n
	}
	return held
}

// Register page-locks the batch's memory, for all devices of the process, until Close. It must lie outside the Go heap
// and outlive the backend.
func (b *Backend) Register(batch *imgvec.Batch) error {
	if err := b.streams.Err(); err != nil {
		return err
	}
	err := b.service.Do(func() error {
		if err := b.streams.Err(); err != nil { // closed since this was queued
			return err
		}
		for _, mem := range [][]byte{batch.Pixels, bytesOf(batch.Features)} {
			if _, known := b.registry.find(mem); known {
				continue
			}
			locked, err := b.device.Register(mem, cuda.Batch)
			if err != nil {
				return err
			}
			b.registry.add(locked)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("imgvec: register a batch with %s: %w", b.info.Device, err)
	}
	return nil
}

// Run computes the features of the batch, when a stream is free. Memory that was not registered is copied once more.
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
	return b.onStream(ctx, n, func(s *stream) error {
		for from := 0; from < n; from += b.info.Batch {
			if err := s.run(batch, from, min(n-from, b.info.Batch)); err != nil {
				return err
			}
		}
		return nil
	})
}

// RunResident runs the session once on n images whose normalised pixels lie on the device already, and leaves the
// features there: what the model can do alone. n is at most the largest bucket.
func (b *Backend) RunResident(ctx context.Context, n int) error {
	if n < 1 || n > b.info.Batch {
		return fmt.Errorf("imgvec: run model %q: a resident batch of %d images, of %d at most", b.spec.Model, n, b.info.Batch)
	}
	return b.onStream(ctx, n, func(s *stream) error { return s.resident(n) })
}

// onStream calls f on the thread of a free stream.
func (b *Backend) onStream(ctx context.Context, n int, f func(*stream) error) error {
	s, err := b.streams.Take(ctx)
	if err != nil {
		return err
	}
	defer b.streams.Give(s) // Close waits for it
	if err := s.thread.Do(func() error { return f(s) }); err != nil {
		return fmt.Errorf("imgvec: run model %q on %d images on %s: %w", b.spec.Model, n, b.info.Device, err)
	}
	return nil
}

// Close waits for the batches that run, and frees the sessions and all memory. It is safe to call at any time and more
// than once.
func (b *Backend) Close() error {
	return b.streams.Close(func([]*stream) error { return b.free() })
}

// free gives everything back, as far as it was made.
func (b *Backend) free() error {
	errs := []error{b.freeStreams()}
	if b.service != nil {
		errs = append(errs, b.service.Do(func() error { return errors.Join(b.registry.free(), b.kernels.free()) }))
		b.service.Close()
	}
	if b.device != nil {
		errs = append(errs, b.device.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("imgvec: close model %q on %s: %w", b.spec.Model, b.info.Device, err)
	}
	return nil
}

func (b *Backend) freeStreams() error {
	var errs []error
	for _, s := range b.all {
		errs = append(errs, s.free())
	}
	b.all = nil
	return errors.Join(errs...)
}
