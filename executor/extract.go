package executor

import (
	"context"
	"fmt"
	"sync"

	"github.com/imgvec/imgvec"
)

// Extract is ExtractContext without a context.
func (e *Executor) Extract(batch [][]byte) ([]imgvec.Result, error) {
	return e.ExtractContext(context.Background(), batch)
}

// ExtractContext turns encoded images into feature vectors: one result an image, in their order, whatever the number of
// images. It spreads few images over all cores. An image that cannot be decoded has its error in its result. The error
// is not nil, and the results are nil, only where the call as a whole cannot go on: the executor is closed
// (imgvec.ErrClosed), ctx is done, or no device is left.
//
// The images are not changed, and not kept after the return. The features are the caller's.
func (e *Executor) ExtractContext(ctx context.Context, batch [][]byte) ([]imgvec.Result, error) {
	x := &extraction{e: e, batch: batch, results: make([]imgvec.Result, len(batch))}
	x.claims = newClaims(len(batch), e.batch, e.nworkers)
	n := max(1, min(e.nworkers, len(batch)))
	c, err := e.begin(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("imgvec: extract: %w", err)
	}
	defer c.end()
	x.call = c
	var others sync.WaitGroup
	for range n - 1 {
		others.Go(x.work)
	}
	x.work() // this goroutine is a worker too: one image alone needs no other
	others.Wait()
	if err := c.err(); err != nil {
		return nil, fmt.Errorf("imgvec: extract: %w", err)
	}
	return x.results, nil
}

// extraction is one ExtractContext under way.
type extraction struct {
	e       *Executor
	call    *call
	batch   [][]byte
	results []imgvec.Result
	claims  *claims
}

// work takes tickets until there are none.
func (x *extraction) work() {
	defer x.e.leave()
	for {
		from, to := x.claims.take()
		if from == to {
			return
		}
		items := make([]imgvec.Item, to-from)
		for i := range items {
			items[i].Data = x.batch[from+i]
		}
		if err := x.e.process(x.call.ctx, items, from, x.results[from:to]); err != nil {
			x.call.cancel(err)
			return
		}
	}
}
