package serve

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
)

const fakeDim = 16

// fake is an extractor whose features are a hash of the bytes. Images that begin with "bad" fail, "hang" wait for
// released, "slow" take a while, "lost" lose the device.
type fake struct {
	dim      int
	workers  int
	released chan struct{}
	seen     atomic.Int64 // images that were opened and read
	refused  atomic.Int64 // images that could not be opened
	order    sync.Mutex
	opened   []byte // the first byte of each image, in the order that they were opened
}

func newFake(t testing.TB) *fake {
	f := &fake{dim: fakeDim, workers: 4, released: make(chan struct{})}
	t.Cleanup(f.release)
	return f
}

func (f *fake) release() {
	select {
	case <-f.released:
	default:
		close(f.released)
	}
}

// firsts are the first bytes of the images, in the order in which they were opened.
func (f *fake) firsts() string {
	f.order.Lock()
	defer f.order.Unlock()
	return string(f.opened)
}

// expected are the features of an image: its beginning and its length make them.
func expected(dim int, data []byte) []float32 {
	h := fnv.New32a()
	h.Write(data[:min(len(data), 64)]) // images differ there, and a race detector makes hashing slow
	sum := h.Sum32() + uint32(len(data))
	row := make([]float32, dim)
	for i := range row {
		row[i] = float32((sum>>(i%24))&0xFF) + float32(i)
	}
	return row
}

var errLost = fmt.Errorf("%w: the fake device fell off", imgvec.ErrNoDevice)

func (f *fake) one(ctx context.Context, item imgvec.Item, r *imgvec.Result) error {
	fail := func(err error) error {
		r.Err = &imgvec.ImageError{Index: r.Index, Err: err}
		return nil
	}
	rc, err := item.Open()
	if err != nil {
		f.refused.Add(1)
		return fail(err)
	}
	defer rc.Close()
	data, err := io.ReadAll(rc)
	if err != nil {
		return fail(err)
	}
	f.seen.Add(1)
	if len(data) == 0 {
		return fail(fmt.Errorf("%w: it has no bytes", imgvec.ErrDecode))
	}
	f.order.Lock()
	f.opened = append(f.opened, data[0])
	f.order.Unlock()
	switch {
	case bytes.HasPrefix(data, []byte("bad")):
		r.Width, r.Height = 7, 8
		return fail(fmt.Errorf("%w: \xff told to", imgvec.ErrDecode))
	case bytes.HasPrefix(data, []byte("hang")):
		select {
		case <-f.released:
		case <-ctx.Done():
		}
	case bytes.HasPrefix(data, []byte("stuck")):
		<-f.released
	case bytes.HasPrefix(data, []byte("slow")):
		time.Sleep(5 * time.Millisecond)
	case bytes.HasPrefix(data, []byte("lost")):
		return errLost
	}
	r.Features, r.Width, r.Height = expected(f.dim, data), len(data), 1
	return nil
}

// Stream has the manners of the executor's: several images at once, results in order, an end only when the input and
// all work have ended.
func (f *fake) Stream(ctx context.Context, items iter.Seq[imgvec.Item]) iter.Seq2[imgvec.Result, error] {
	return func(yield func(imgvec.Result, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		type job struct {
			item imgvec.Item
			r    imgvec.Result
			done chan struct{}
		}
		todo, order := make(chan *job), make(chan *job, 4*f.workers)
		var all sync.WaitGroup
		defer all.Wait()
		defer cancel(context.Canceled)
		all.Go(func() {
			defer close(order)
			defer close(todo)
			n := 0
			for item := range items {
				j := &job{item: item, done: make(chan struct{})}
				j.r.Index = n
				n++
				select {
				case order <- j:
				case <-ctx.Done():
					return
				}
				select {
				case todo <- j:
				case <-ctx.Done():
					return
				}
			}
		})
		for range f.workers {
			all.Go(func() {
				for j := range todo {
					if err := f.one(ctx, j.item, &j.r); err != nil {
						cancel(err)
						return
					}
					close(j.done)
				}
			})
		}
		for j := range order {
			select {
			case <-j.done:
			case <-ctx.Done():
				yield(imgvec.Result{}, context.Cause(ctx))
				return
			}
			if !yield(j.r, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(imgvec.Result{}, context.Cause(ctx))
		}
	}
}

func (f *fake) Stats() executor.Stats {
	return executor.Stats{Stages: map[string]executor.Stage{"decode": {Busy: time.Second, Images: f.seen.Load()}}}
}

// instant reads its images and gives them all the same features.
type instant struct {
	fake
	row []float32
}

func (f *instant) Stream(_ context.Context, items iter.Seq[imgvec.Item]) iter.Seq2[imgvec.Result, error] {
	buf := make([]byte, 1<<20)
	return func(yield func(imgvec.Result, error) bool) {
		n := 0
		for item := range items {
			rc, err := item.Open()
			if err == nil {
				_, err = rc.Read(buf)
			}
			if !yield(imgvec.Result{Index: n, Features: f.row, Width: 1, Height: 1, Err: err}, nil) {
				return
			}
			n++
		}
	}
}
