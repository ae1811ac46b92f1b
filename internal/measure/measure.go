package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"

	"github.com/imgvec/imgvec"
)

// Scenario is one way to use the library that can be measured.
type Scenario string

// The scenarios, named as in MLPerf.
const (
	OfflineJPEG Scenario = "offline-jpeg" // encoded images in memory -> features, as many as possible
	OfflineU8   Scenario = "offline-u8"   // pixels in memory -> features, as many as possible
	Single      Scenario = "single"       // one call at a time: latency of Extract of 1, 8 and 64 images
)

// Scenarios lists all of them.
func Scenarios() []Scenario { return []Scenario{OfflineJPEG, OfflineU8, Single} }

// Options say what Run measures.
type Options struct {
	Model     *model.Model
	Images    [][]byte // encoded images, taken in turns
	Executor  executor.Options
	Scenarios []Scenario    // nil: all
	Rounds    int           // 0: 5
	Turn      time.Duration // how long a stage runs in a round, about; 0: 3 s
	Log       func(string)  // gets a line for every step; may be nil
}

func (o Options) withDefaults() (Options, error) {
	if len(o.Images) == 0 {
		return o, errors.New("imgvec: measure: no images")
	}
	if o.Scenarios == nil {
		o.Scenarios = Scenarios()
	}
	for _, s := range o.Scenarios {
		if !slices.Contains(Scenarios(), s) {
			return o, fmt.Errorf("imgvec: measure: scenario %q is unknown %v", s, Scenarios())
		}
	}
	if o.Rounds <= 0 {
		o.Rounds = 5
	}
	if o.Turn <= 0 {
		o.Turn = 3 * time.Second
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	return o, nil
}

// bench is one run of Run.
type bench struct {
	Options
	ex      *executor.Executor
	pre     *preprocess.Preprocessor
	backend *cpu.Backend
	pixels  []uint8 // of the images, for offline-u8
	report  *Report
}

// Run measures. The machine should have nothing else to do.
func Run(ctx context.Context, opts Options) (*Report, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &bench{Options: opts, report: &Report{Images: len(opts.Images), Rounds: opts.Rounds, Cores: runtime.GOMAXPROCS(0)}}
	if err := errors.Join(b.run(ctx), b.close()); err != nil {
		return nil, fmt.Errorf("imgvec: measure: %w", err)
	}
	return b.report, nil
}

func (b *bench) run(ctx context.Context) error {
	if err := b.open(ctx); err != nil {
		return err
	}
	if b.wants(OfflineJPEG) || b.wants(OfflineU8) {
		if err := b.offline(ctx); err != nil {
			return err
		}
	}
	if b.wants(Single) {
		return b.single(ctx)
	}
	return nil
}

func (b *bench) wants(s Scenario) bool { return slices.Contains(b.Scenarios, s) }

// open loads the model and takes the time of what is paid once.
func (b *bench) open(ctx context.Context) (err error) {
	start := time.Now()
	if b.ex, err = executor.OpenModel(ctx, b.Model, b.Executor); err != nil {
		return err
	}
	b.report.Load = time.Since(start)
	start = time.Now()
	results, err := b.ex.ExtractContext(ctx, b.Images[:1])
	if err != nil {
		return err
	}
	b.report.First = time.Since(start)
	if results[0].Err != nil {
		return results[0].Err
	}
	if b.pre, err = preprocess.New(b.Model.Spec.Preset, b.Executor.Preprocess); err != nil {
		return err
	}
	b.report.describe(b.ex.Stats())
	return nil
}

// openBackend opens the model a second time, to run it alone, as the executor runs it.
func (b *bench) openBackend(ctx context.Context) (err error) {
	stats := b.ex.Stats()
	b.backend, err = cpu.Open(ctx, b.Model.Path, b.Model.Spec, cpu.Options{
		Precision: imgvec.Precision(stats.Precision), Streams: stats.Streams, LibraryDir: b.Executor.LibraryDir,
	})
	return err
}

func (b *bench) close() error {
	var errs []error
	if b.ex != nil {
		errs = append(errs, b.ex.Close())
	}
	if b.backend != nil {
		errs = append(errs, b.backend.Close())
	}
	return errors.Join(errs...)
}
