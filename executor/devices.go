package executor

import (
	"context"
	"sync"
	"time"
)

// devices hands out the free streams of all instances. A faster device gives its streams back sooner and so gets more
// of the work; no other balancing is needed.
type devices struct {
	free chan *instance // one entry for each free stream
	all  []*instance

	mu    sync.Mutex
	alive int
}

func newDevices(all []*instance) *devices {
	total := 0
	for _, in := range all {
		total += max(1, in.backend.Streams())
	}
	d := &devices{free: make(chan *instance, total), all: all, alive: len(all)}
	for round := 0; len(d.free) < total; round++ { // in turn, so that the first batches spread over the devices
		for _, in := range all {
			if round < max(1, in.backend.Streams()) {
				d.free <- in
			}
		}
	}
	return d
}

// streams is how many batches can run at once.
func (d *devices) streams() int { return cap(d.free) }

// acquire waits for a free stream; where there is a choice, one of another instance than avoid (which may be nil).
func (d *devices) acquire(ctx context.Context, avoid *instance) (*instance, error) {
	for {
		select {
		case in := <-d.free:
			if in.lost.Load() {
				continue // its streams leave the rotation as they turn up
			}
			if in != avoid || d.left() < 2 {
				return in, nil
			}
			d.free <- in
			// A retry is rare. Holding on to avoid's streams meanwhile could starve another retry for good.
			time.Sleep(time.Millisecond)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (d *devices) release(in *instance) { d.free <- in }

// lose takes an instance out of the rotation and returns how many are left, and whether it was in it until now.
func (d *devices) lose(in *instance) (left int, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if first = in.lost.CompareAndSwap(false, true); first {
		d.alive--
	}
	return d.alive, first
}

// drop is lose for an instance that might yet do: the last one stays. out tells whether it is out of the rotation.
func (d *devices) drop(in *instance) (out, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if in.lost.Load() {
		return true, false
	}
	if d.alive < 2 {
		return false, false
	}
	in.lost.Store(true)
	d.alive--
	return true, true
}

// anyLost tells whether a device has left the rotation.
func (d *devices) anyLost() bool { return d.left() < len(d.all) }

func (d *devices) left() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alive
}
