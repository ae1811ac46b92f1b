package measure

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/imgvec/imgvec"
)

// offline measures the stages in turns.
func (b *bench) offline(ctx context.Context) error {
	if err := b.decodeAll(ctx); err != nil {
		return err
	}
	b.report.Failed = b.failed
	names := b.stageNames()
	stages, counts := make([]*Stage, len(names)), make([]int, len(names))
	for i, name := range names {
		var err error
		if stages[i], err = b.Stage(ctx, name, 0); err != nil {
			return err
		}
		if counts[i], err = stages[i].Calibrate(ctx, b.Turn, b.report.Batch); err != nil {
			return err
		}
	}
	before := b.ex.Stats()
	for round := range b.Rounds {
		line := fmt.Sprintf("round %d of %d:", round+1, b.Rounds)
		for i, stage := range stages {
			took, err := stage.Time(ctx, counts[i])
			if err != nil {
				return err
			}
			b.report.add(names[i], took)
			line += fmt.Sprintf(" %s %.1f", names[i], took.rate())
		}
		b.Log(line + " img/s")
	}
	b.report.finish(before, b.ex.Stats(), b.ex.Stats().Workers, b.gpu)
	return nil
}

// stageNames are the stages that the scenarios need.
func (b *bench) stageNames() []string {
	var names []string
	if b.wants(OfflineJPEG) {
		names = append(names, StageDecode)
	}
	names = append(names, StageInfer)
	if b.gpu {
		names = append(names, StageSteps)
	}
	if b.wants(OfflineDevice) {
		names = append(names, StageDevice)
	}
	if b.wants(OfflineJPEG) {
		names = append(names, StageWhole)
	}
	return names
}

// Took is what one turn of a stage took.
type Took struct {
	Images int
	Wall   time.Duration
	Steps  map[string]time.Duration // that the stage knows of; nil: none
}

func (t Took) rate() float64 { return float64(t.Images) / t.Wall.Seconds() }

// Time does n images and says what that took.
func (s *Stage) Time(ctx context.Context, n int) (Took, error) {
	took := Took{Images: n}
	var before map[string]time.Duration
	if s.Steps != nil {
		before = s.Steps()
	}
	start := time.Now()
	err := s.Do(ctx, n)
	took.Wall = time.Since(start)
	if s.Steps != nil {
		took.Steps = since(before, s.Steps())
	}
	return took, err
}

// Calibrate warms the stage up and finds how many images it does in a turn, in whole batches.
func (s *Stage) Calibrate(ctx context.Context, turn time.Duration, batch int) (int, error) {
	n := 4 * batch
	for {
		took, err := s.Time(ctx, n)
		if err != nil {
			return 0, err
		}
		if enough := int(took.rate() * turn.Seconds()); n*4 >= enough {
			return max(n, (enough+batch-1)/batch*batch), nil
		}
		n *= 4
	}
}

// decode only turns encoded images into pixels, on as many workers as the executor has.
func (r *Rig) decode(ctx context.Context, n int) error {
	workers := runtime.GOMAXPROCS(0)
	if r.ex != nil {
		workers = r.ex.Stats().Workers
	}
	var next atomic.Int64
	return spread(workers, func(int) error {
		w := r.pre.NewWorker()
		defer w.Close()
		dst := make([]uint8, r.Model.Spec.ImageLen())
		for {
			i, to := claim(&next, 1, n)
			if i >= to || ctx.Err() != nil {
				return ctx.Err()
			}
			_, _ = w.Into(ctx, dst, r.Images[i%len(r.Images)]) // one that fails takes its time in the whole too
		}
	})
}

// whole is the executor's stream, encoded images in, features out.
func (r *Rig) whole(ctx context.Context, n int) error {
	for _, err := range r.ex.Stream(ctx, r.items(n)) {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Rig) items(n int) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		for i := range n {
			if !yield(imgvec.Item{Data: r.Images[i%len(r.Images)]}) {
				return
			}
		}
	}
}
