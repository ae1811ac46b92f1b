package measure

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/imgvec/imgvec"
)

// turn does n images and gives up with an error only where none of the rest would come out.
type turn func(ctx context.Context, n int) error

// offline measures the stages in turns.
func (b *bench) offline(ctx context.Context) error {
	if err := b.openBackend(ctx); err != nil {
		return err
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	names, turns := []string{StageInfer}, []turn{b.infer}
	if b.wants(OfflineJPEG) {
		names, turns = []string{StageDecode, StageInfer, StageWhole}, []turn{b.decode, b.infer, b.whole}
	}
	counts := make([]int, len(turns))
	for i, t := range turns {
		n, err := b.calibrate(ctx, t)
		if err != nil {
			return err
		}
		counts[i] = n
	}
	before := b.ex.Stats()
	for round := range b.Rounds {
		line := fmt.Sprintf("round %d of %d:", round+1, b.Rounds)
		for i, t := range turns {
			rate, err := timed(ctx, t, counts[i])
			if err != nil {
				return err
			}
			b.report.add(names[i], rate)
			line += fmt.Sprintf(" %s %.1f", names[i], rate)
		}
		b.Log(line + " img/s")
	}
	b.report.finish(before, b.ex.Stats(), b.ex.Stats().Workers)
	return nil
}

func timed(ctx context.Context, t turn, n int) (perSecond float64, err error) {
	start := time.Now()
	if err := t(ctx, n); err != nil {
		return 0, err
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// calibrate warms a stage up and finds how many images it does in a turn.
func (b *bench) calibrate(ctx context.Context, t turn) (int, error) {
	n := 4 * b.report.Batch
	for {
		rate, err := timed(ctx, t, n)
		if err != nil {
			return 0, err
		}
		if enough := int(rate * b.Turn.Seconds()); n*4 >= enough {
			return max(n, enough), nil
		}
		n *= 4
	}
}

// prepare makes the pixels of every image once.
func (b *bench) prepare(ctx context.Context) error {
	size := b.Model.Spec.ImageLen()
	b.pixels = make([]uint8, 0, size*len(b.Images))
	w := b.pre.NewWorker()
	defer w.Close()
	dst := make([]uint8, size)
	for _, data := range b.Images {
		if _, err := w.Into(ctx, dst, data); err != nil {
			b.report.Failed++
			continue
		}
		b.pixels = append(b.pixels, dst...)
	}
	if len(b.pixels) == 0 {
		return errors.New("none of the images can be decoded")
	}
	return nil
}

// claim hands out the numbers below n in pieces, to many goroutines.
func claim(next *atomic.Int64, piece, n int) (from, to int) {
	to = int(next.Add(int64(piece)))
	return min(to-piece, n), min(to, n)
}

// spread runs work on n goroutines until all have ended.
func spread(n int, work func() error) error {
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { errs[i] = work() })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// decode only turns encoded images into pixels, on all workers.
func (b *bench) decode(ctx context.Context, n int) error {
	var next atomic.Int64
	return spread(b.report.Workers, func() error {
		w := b.pre.NewWorker()
		defer w.Close()
		dst := make([]uint8, b.Model.Spec.ImageLen())
		for {
			i, to := claim(&next, 1, n)
			if i >= to || ctx.Err() != nil {
				return ctx.Err()
			}
			_, _ = w.Into(ctx, dst, b.Images[i%len(b.Images)]) // one that fails takes its time in the whole too
		}
	})
}

// infer only runs the model on pixels in memory, on all streams.
func (b *bench) infer(ctx context.Context, n int) error {
	var next atomic.Int64
	spec := b.Model.Spec
	return spread(b.backend.Streams(), func() error {
		features := make([]float32, b.report.Batch*spec.Dim)
		pixels := make([]uint8, b.report.Batch*spec.ImageLen())
		batch, err := imgvec.NewBatch(spec, pixels, features)
		if err != nil {
			return err
		}
		for {
			from, to := claim(&next, b.report.Batch, n)
			if from >= to {
				return nil
			}
			for i := range to - from {
				at := (from + i) * spec.ImageLen() % len(b.pixels)
				copy(batch.Image(i), b.pixels[at:])
			}
			batch.SetLen(to - from)
			if err := b.backend.Run(ctx, batch); err != nil {
				return err
			}
		}
	})
}

// whole is the executor's stream, encoded images in, features out.
func (b *bench) whole(ctx context.Context, n int) error {
	for _, err := range b.ex.Stream(ctx, b.items(n)) {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) items(n int) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		for i := range n {
			if !yield(imgvec.Item{Data: b.Images[i%len(b.Images)]}) {
				return
			}
		}
	}
}
