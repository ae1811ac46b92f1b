package measure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/preprocess"
)

// Rig is a model that is ready to be measured, stage by stage. What a stage needs is opened when it is first asked for:
// the executor, and the model alone in each size of batch. It is not safe for concurrent use; Close ends it.
type Rig struct {
	Options
	ex     *executor.Executor
	load   time.Duration // of ex
	gpu    bool          // the model runs on GPUs
	pre    *preprocess.Preprocessor
	alone  []*alone
	pixels []uint8 // of the images, decoded
	failed int     // images that can't be decoded
}

// Stage is one stage in one size of batch, warmed up by Do.
type Stage struct {
	// Do does n images, and gives up with an error only where none of the rest would come out.
	Do func(ctx context.Context, n int) error
	// Steps tells how long the device, or for StageWhole the workers, have worked on each step so far; may be nil.
	Steps func() map[string]time.Duration
	// Load is what opening the model for it took, 0 where that was done before.
	Load time.Duration
	// About says what runs it.
	About map[string]string
}

// NewRig opens nothing yet. Options.Scenarios, Rounds and Turn are not looked at.
func NewRig(opts Options) (*Rig, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	return newRig(opts), nil
}

func newRig(opts Options) *Rig { return &Rig{Options: opts} }

// OnGPU tells whether the model runs on GPUs. It is known once something is open.
func (r *Rig) OnGPU() bool { return r.gpu }

// Close frees everything.
func (r *Rig) Close() error {
	var errs []error
	if r.ex != nil {
		errs = append(errs, r.ex.Close())
	}
	for _, a := range r.alone {
		errs = append(errs, a.close())
	}
	r.ex, r.alone = nil, nil
	return errors.Join(errs...)
}

// executor is the whole, opened once.
func (r *Rig) executor(ctx context.Context) (*executor.Executor, error) {
	if r.ex != nil {
		return r.ex, nil
	}
	start := time.Now()
	ex, err := executor.OpenModel(ctx, r.Model, r.Executor)
	if err != nil {
		return nil, err
	}
	r.ex, r.load = ex, time.Since(start)
	r.gpu = strings.HasPrefix(ex.Stats().Device, string(imgvec.DeviceCUDA)) // "cuda:0 (its name), ..."
	return ex, nil
}

// Stage makes a stage ready. batch is the number of images that the model alone runs at once; 0 is the executor's, whose
// own batch it never changes.
func (r *Rig) Stage(ctx context.Context, name string, batch int) (*Stage, error) {
	switch name {
	case StageDecode:
		return r.decodeStage()
	case StageWhole:
		return r.wholeStage(ctx)
	case StageInfer, StageSteps, StageDevice:
		return r.aloneStage(ctx, name, batch)
	}
	return nil, fmt.Errorf("imgvec: measure: stage %q is unknown", name)
}

func (r *Rig) decodeStage() (*Stage, error) {
	if err := r.preprocessor(); err != nil {
		return nil, err
	}
	return &Stage{Do: r.decode, About: map[string]string{"decoder": r.pre.Decoder()}}, nil
}

func (r *Rig) preprocessor() (err error) {
	if r.pre == nil {
		r.pre, err = preprocess.New(r.Model.Spec.Preset, r.Executor.Preprocess)
	}
	return err
}

func (r *Rig) wholeStage(ctx context.Context) (*Stage, error) {
	first := r.ex == nil
	ex, err := r.executor(ctx)
	if err != nil {
		return nil, err
	}
	s := ex.Stats()
	stage := &Stage{Do: r.whole, About: map[string]string{
		"device": s.Device, "provider": s.Provider, "precision": s.Precision, "decoder": s.Decoder, "batch": fmt.Sprint(s.Batch),
	}}
	stage.Steps = func() map[string]time.Duration { return stepsOf(ex.Stats()) }
	if first {
		stage.Load = r.load
	}
	return stage, nil
}

func (r *Rig) aloneStage(ctx context.Context, name string, batch int) (*Stage, error) {
	if err := r.decodeAll(ctx); err != nil {
		return nil, err
	}
	start := time.Now()
	a, opened, err := r.aloneFor(ctx, batch)
	if err != nil {
		return nil, err
	}
	stage := &Stage{Steps: a.steps, About: a.about}
	if opened {
		stage.Load = time.Since(start)
	}
	if batch == 0 {
		batch = a.batch
	}
	pool, err := a.pool(r.Model.Spec, batch, r.pixels)
	if err != nil {
		return nil, err
	}
	switch name {
	case StageInfer:
		stage.Do = func(ctx context.Context, n int) error { return pool.infer(ctx, n, len(pool.lanes)) }
	case StageSteps:
		stage.Do = func(ctx context.Context, n int) error { return pool.infer(ctx, n, 1) }
	case StageDevice:
		if a.resident == nil {
			return nil, fmt.Errorf("imgvec: scenario %s needs a GPU, and the model runs on a CPU", OfflineDevice)
		}
		// Leaves pixels on every stream of every device.
		if err := pool.infer(ctx, 4*batch*len(pool.lanes), len(pool.lanes)); err != nil {
			return nil, err
		}
		stage.Do, stage.Steps = pool.device, nil
	}
	return stage, nil
}

// decodeAll makes the pixels of every image once.
func (r *Rig) decodeAll(ctx context.Context) error {
	if r.pixels != nil {
		return nil
	}
	if err := r.preprocessor(); err != nil {
		return err
	}
	size := r.Model.Spec.ImageLen()
	pixels := make([]uint8, 0, size*len(r.Images))
	w := r.pre.NewWorker()
	defer w.Close()
	dst := make([]uint8, size)
	for _, data := range r.Images {
		if _, err := w.Into(ctx, dst, data); err != nil {
			r.failed++
			continue
		}
		pixels = append(pixels, dst...)
	}
	if len(pixels) == 0 {
		return errors.New("none of the images can be decoded")
	}
	r.pixels = pixels
	return nil
}
