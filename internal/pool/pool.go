package pool

import (
	"context"
	"sync"
)

// Pool holds things that one caller at a time may use. It is safe for concurrent use.
type Pool[T any] struct {
	free   chan T
	closed chan struct{}
	why    error // what callers get after Close
	once   sync.Once
	err    error // of Close
}

// New makes a pool of things. closed is the error of those who come after Close.
func New[T any](things []T, closed error) *Pool[T] {
	p := &Pool[T]{free: make(chan T, len(things)), closed: make(chan struct{}), why: closed}
	for _, thing := range things {
		p.free <- thing
	}
	return p
}

// Size is how many things there are.
func (p *Pool[T]) Size() int { return cap(p.free) }

// Err is nil until Close.
func (p *Pool[T]) Err() error {
	select {
	case <-p.closed:
		return p.why
	default:
		return nil
	}
}

// Take waits for a free thing, which the caller gives back. The error is ctx's, or the one of a pool that is closed.
func (p *Pool[T]) Take(ctx context.Context) (thing T, err error) {
	select {
	case thing = <-p.free:
		if err = p.Err(); err != nil {
			p.Give(thing)
		}
	case <-p.closed:
		err = p.why
	case <-ctx.Done():
		err = ctx.Err()
	}
	return thing, err
}

// Give gives a thing back.
func (p *Pool[T]) Give(thing T) { p.free <- thing }

// Close lets nobody in any more, waits until all things are back, and calls free with them, once. Later calls wait for
// that and return its error.
func (p *Pool[T]) Close(free func(things []T) error) error {
	p.once.Do(func() {
		close(p.closed)
		things := make([]T, p.Size())
		for i := range things {
			things[i] = <-p.free
		}
		p.err = free(things)
	})
	return p.err
}
