package executor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/imgvec/imgvec"
)

// ring holds the batches of an executor: a fixed number of them, which is what holds decoders back when the devices
// are behind.
type ring struct {
	spec imgvec.Spec
	size int // images a batch
	free chan *buffer

	mu  sync.Mutex
	all map[*buffer]bool // what exists and no device has run away with
}

func newRing(spec imgvec.Spec, images, batches int) (*ring, error) {
	r := &ring{spec: spec, size: images, free: make(chan *buffer, batches), all: map[*buffer]bool{}}
	for range batches {
		b, err := r.grow()
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.free <- b
	}
	return r, nil
}

// grow makes one batch more, which the caller holds.
func (r *ring) grow() (*buffer, error) {
	b, err := newBuffer(r.spec, r.size)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[b] = true
	return b, nil
}

// take waits for a free batch. It belongs to the caller until give.
func (r *ring) take(ctx context.Context) (*buffer, error) {
	select {
	case b := <-r.free:
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (r *ring) give(b *buffer) { r.free <- b }

// abandon takes b out of the ring for good, because a device may still write to it.
func (r *ring) abandon(b *buffer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, b)
}

// bytes of the ring's batches.
func (r *ring) bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var n int64
	for b := range r.all {
		n += int64(len(b.mem))
	}
	return n
}

// leave takes all batches out of the ring, whoever holds them.
func (r *ring) leave() []*buffer {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := slices.Collect(maps.Keys(r.all))
	clear(r.all)
	return left
}

// close frees all batches, whoever holds them.
func (r *ring) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for b := range r.all {
		errs = append(errs, b.free())
	}
	clear(r.all)
	return errors.Join(errs...)
}
