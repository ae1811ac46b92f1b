package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/model"
)

// Scenario is one way to use the library that can be measured.
type Scenario string

// The scenarios, named as in MLPerf.
const (
	OfflineJPEG   Scenario = "offline-jpeg"   // encoded images in memory -> features, as many as possible
	OfflineU8     Scenario = "offline-u8"     // pixels in memory -> features, as many as possible
	OfflineDevice Scenario = "offline-device" // pixels on the device -> features on the device; on GPUs only
	Single        Scenario = "single"         // one call at a time: latency of Extract of 1, 8 and 64 images
)

// Scenarios lists all of them.
func Scenarios() []Scenario { return []Scenario{OfflineJPEG, OfflineU8, OfflineDevice, Single} }

// Options say what Run measures.
type Options struct {
	Model     *model.Model
	Images    [][]byte // encoded images, taken in turns
	Executor  executor.Options
	Scenarios []Scenario    // nil: all that the device has
	Rounds    int           // 0: 5
	Turn      time.Duration // how long a stage runs in a round, about; 0: 3 s
	Log       func(string)  // gets a line for every step; may be nil
}

func (o Options) withDefaults() (Options, error) {
	if len(o.Images) == 0 {
		return o, errors.New("imgvec: measure: no images")
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
	*Rig
	report *Report
}

// Run measures. The machine should have nothing else to do.
func Run(ctx context.Context, opts Options) (*Report, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &bench{newRig(opts), &Report{Images: len(opts.Images), Rounds: opts.Rounds, Cores: runtime.GOMAXPROCS(0)}}
	if err := errors.Join(b.run(ctx), b.Close()); err != nil {
		return nil, err
	}
	return b.report, nil
}

func (b *bench) run(ctx context.Context) error {
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := b.choose(); err != nil {
		return err
	}
	if b.wants(OfflineJPEG) || b.wants(OfflineU8) || b.wants(OfflineDevice) {
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

// choose takes the scenarios that the device has, where the caller named none.
func (b *bench) choose() error {
	if b.OnGPU() {
		if b.Scenarios == nil {
			b.Scenarios = Scenarios()
		}
		return nil
	}
	if b.Scenarios == nil {
		b.Scenarios = slices.DeleteFunc(Scenarios(), func(s Scenario) bool { return s == OfflineDevice })
	}
	if b.wants(OfflineDevice) {
		return fmt.Errorf("scenario %s: device %s computes where the pixels lie: there is nothing to leave out; take %s", OfflineDevice, b.report.Device, OfflineU8)
	}
	return nil
}

// start loads the model and takes the time of what is paid once.
func (b *bench) start(ctx context.Context) error {
	ex, err := b.executor(ctx)
	if err != nil {
		return err
	}
	b.report.Load = b.load
	start := time.Now()
	results, err := ex.ExtractContext(ctx, b.Images[:1])
	if err != nil {
		return err
	}
	b.report.First = time.Since(start)
	if results[0].Err != nil {
		return results[0].Err
	}
	b.report.describe(ex.Stats())
	return nil
}
