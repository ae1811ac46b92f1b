package crops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/preprocess"
)

// Options bound what becomes of an image.
type Options struct {
	Size     int   // bytes of its pixels: Spec.ImageLen
	MaxBytes int64 // most bytes of its file, as preprocess.Options has it
	Workers  int   // 0: one a core
}

// crop is one image on its way to its pixels.
type crop struct {
	item   imgvec.Item
	pixels []uint8
	err    error
	done   sync.WaitGroup
}

// Each preprocesses images and gives their pixels to use, one after the other in the order of the items; use may keep
// them. The first image that fails, the first error of use, or the end of ctx ends it. When it returns, its goroutines
// have ended and items is not read any more.
func Each(ctx context.Context, p *preprocess.Preprocessor, items iter.Seq[imgvec.Item], opts Options, use func([]uint8) error) error {
	ctx, cancel := context.WithCancel(ctx)
	workers := opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	todo, order := make(chan *crop), make(chan *crop, 2*workers)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() { deal(ctx, items, opts.Size, todo, order) })
	for range workers {
		wait.Go(func() {
			w := p.NewWorker()
			defer w.Close()
			for c := range todo {
				c.err = c.run(ctx, w, opts.MaxBytes)
				c.done.Done()
			}
		})
	}
	for c := range order {
		c.done.Wait()
		if c.err != nil {
			return fmt.Errorf("image %q: %w", c.item.ID, c.err)
		}
		if err := use(c.pixels); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// deal hands each image to a worker, and in order to the caller. The bound on order bounds what is in memory.
func deal(ctx context.Context, items iter.Seq[imgvec.Item], size int, todo, order chan<- *crop) {
	defer close(order)
	defer close(todo)
	for item := range items {
		c := &crop{item: item, pixels: make([]uint8, size)}
		c.done.Add(1)
		select {
		case order <- c:
			todo <- c // workers take on to the end, so this does not block for ever
		case <-ctx.Done():
			return
		}
	}
}

func (c *crop) run(ctx context.Context, w *preprocess.Worker, maxBytes int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	data, err := read(c.item, maxBytes)
	if err != nil {
		return err
	}
	_, err = w.Into(ctx, c.pixels, data)
	return err
}

// read gives an item's bytes, and of one that is too large a byte more than is allowed: the worker refuses it.
func read(item imgvec.Item, maxBytes int64) ([]byte, error) {
	if item.Data != nil {
		return item.Data, nil
	}
	r, err := item.Open()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	return data, errors.Join(err, r.Close())
}
