package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/imgvec/imgvec"
)

// perLane is how many batches a lane takes in turns: one batch that stays in the caches is no pipeline.
const perLane = 3

// pool holds batches full of decoded images, which lie where a GPU wants them, and a lane for every stream.
type pool struct {
	a     *alone
	lanes []lane
	mem   [][]byte
	size  int // images a batch
}

// lane is what one goroutine runs, one batch after the other.
type lane struct {
	device  int
	batches []*imgvec.Batch
}

// pool makes the batches of n images, once.
func (a *alone) pool(spec imgvec.Spec, n int, pixels []uint8) (*pool, error) {
	if p := a.pools[n]; p != nil {
		return p, nil
	}
	p := &pool{a: a, size: n}
	a.pools[n] = p
	next := 0
	for device, b := range a.backends {
		for range b.Streams() {
			l := lane{device: device}
			for range perLane {
				batch, err := p.batch(spec)
				if err != nil {
					return nil, err
				}
				for i := range n {
					copy(batch.Image(i), pixels[next*spec.ImageLen():])
					next = (next + 1) % (len(pixels) / spec.ImageLen())
				}
				if err := b.Register(batch); err != nil {
					return nil, err
				}
				l.batches = append(l.batches, batch)
			}
			p.lanes = append(p.lanes, l)
		}
	}
	return p, nil
}

// batch maps memory outside the Go heap, as a GPU needs it.
func (p *pool) batch(spec imgvec.Spec) (*imgvec.Batch, error) {
	const align = 64
	size := p.size * spec.ImageLen()
	start := (size + align - 1) / align * align
	mem, err := mapMemory(start + p.size*spec.Dim*4)
	if err != nil {
		return nil, fmt.Errorf("map a batch of %d images: %w", p.size, err)
	}
	p.mem = append(p.mem, mem)
	features := unsafe.Slice((*float32)(unsafe.Pointer(&mem[start])), p.size*spec.Dim)
	return imgvec.NewBatch(spec, mem[:size:size], features)
}

func (p *pool) free() error {
	var errs []error
	for _, mem := range p.mem {
		errs = append(errs, unmapMemory(mem))
	}
	p.mem, p.lanes = nil, nil
	return errors.Join(errs...)
}

// infer runs the model on n images in memory, on so many of the lanes.
func (p *pool) infer(ctx context.Context, n, lanes int) error {
	return p.run(n, lanes, func(l lane, turn, images int) error {
		batch := l.batches[turn%len(l.batches)]
		batch.SetLen(images)
		return p.a.backends[l.device].Run(ctx, batch)
	})
}

// device runs the model on pixels that lie on the devices.
func (p *pool) device(ctx context.Context, n int) error {
	return p.run(n, len(p.lanes), func(l lane, _, images int) error { return p.a.resident(ctx, l.device, images) })
}

// run lets the lanes take n images in batches.
func (p *pool) run(n, lanes int, do func(l lane, turn, images int) error) error {
	var next atomic.Int64
	return spread(lanes, func(number int) error {
		for turn := 0; ; turn++ {
			from, to := claim(&next, p.size, n)
			if from >= to {
				return nil
			}
			if err := do(p.lanes[number], turn, to-from); err != nil {
				return err
			}
		}
	})
}

// claim hands out the numbers below n in pieces, to many goroutines.
func claim(next *atomic.Int64, piece, n int) (from, to int) {
	to = int(next.Add(int64(piece)))
	return min(to-piece, n), min(to, n)
}

// spread runs work on n goroutines, numbered, until all have ended.
func spread(n int, work func(number int) error) error {
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { errs[i] = work(i) })
	}
	wait.Wait()
	return errors.Join(errs...)
}
