package measure

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
)

// alone is the model without the rest, opened as the executor opens it, on each device that it runs on.
type alone struct {
	backends []imgvec.Backend
	batch    int   // that it was opened for
	buckets  []int // sizes that batches run in without being padded; nil: any
	about    map[string]string
	pools    map[int]*pool // by batch

	resident func(ctx context.Context, device, n int) error // nil on a CPU
	steps    func() map[string]time.Duration
}

// fits tells whether batches of n run as such.
func (a *alone) fits(n int) bool {
	return n == 0 || a.buckets == nil || slices.Contains(a.buckets, n)
}

func (a *alone) close() error {
	var errs []error
	for _, b := range a.backends {
		errs = append(errs, b.Close())
	}
	for _, p := range a.pools { // devices may hold their memory until they are closed
		errs = append(errs, p.free())
	}
	return errors.Join(errs...)
}

// aloneFor is the model for batches of n images, and whether it was opened for that.
func (r *Rig) aloneFor(ctx context.Context, n int) (a *alone, opened bool, err error) {
	for _, a := range r.alone {
		if a.fits(n) {
			return a, false, nil
		}
	}
	settings, err := r.settings(ctx)
	if err != nil {
		return nil, false, err
	}
	if n > 0 {
		settings.batch = n
	}
	if r.gpu {
		a, err = openGPUs(ctx, r.Options, settings)
	} else {
		a, err = openCPU(ctx, r.Options, settings)
	}
	if err != nil {
		return nil, false, err
	}
	r.alone = append(r.alone, a)
	return a, true, nil
}

// settings are how the executor runs the model.
type settings struct {
	ids            []string // of the GPUs that were asked for
	names          []string // of those that the executor opened; nil where it was not asked
	precision      imgvec.Precision
	streams, batch int // 0: the default
}

// settings asks the executor, unless the caller has said all that there is to choose on a GPU.
func (r *Rig) settings(ctx context.Context) (settings, error) {
	d, err := imgvec.ParseDevices(r.Executor.Device)
	if err != nil {
		return settings{}, err
	}
	s := settings{ids: d.IDs, precision: r.Executor.Precision, streams: r.Executor.Streams, batch: r.Executor.Batch}
	chosen := s.precision != "" && s.precision != imgvec.PrecisionAuto
	if r.ex == nil && chosen && d.Kind == imgvec.DeviceCUDA {
		r.gpu = true
		return s, nil
	}
	ex, err := r.executor(ctx)
	if err != nil {
		return s, err
	}
	about := ex.Stats()
	s.batch = about.Batch
	if !chosen && about.Precision != "" {
		s.precision = imgvec.Precision(about.Precision)
	}
	if r.gpu {
		s.names = about.Devices
	} else {
		s.streams = about.Streams
	}
	return s, nil
}

// since is what the steps took after they stood at before.
func since(before, after map[string]time.Duration) map[string]time.Duration {
	d := maps.Clone(after)
	for name, was := range before {
		if d[name] -= was; d[name] <= 0 {
			delete(d, name)
		}
	}
	return d
}

// stepsOf are the executor's steps, by name.
func stepsOf(s executor.Stats) map[string]time.Duration {
	steps := map[string]time.Duration{}
	for name, stage := range s.Stages {
		if name != "queue" {
			steps[name] = stage.Busy
		}
	}
	return steps
}
