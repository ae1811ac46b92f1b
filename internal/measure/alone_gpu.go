package measure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/imgvec/imgvec/gpu"
)

// openGPUs opens the model on each of the executor's GPUs.
func openGPUs(ctx context.Context, o Options, s settings) (*alone, error) {
	names := s.names
	if names == nil {
		var err error
		if names, err = gpu.Devices(s.ids); err != nil {
			return nil, err
		}
	}
	a := &alone{pools: map[int]*pool{}, about: map[string]string{}}
	var all []*gpu.Backend
	for _, name := range names {
		b, err := gpu.Open(ctx, o.Model.Path, o.Model.Spec, gpu.Options{
			Device: name, Precision: s.precision, Provider: o.Executor.Provider, Streams: s.streams, Batch: s.batch,
			Session: o.Executor.Session, CacheDir: o.Executor.CacheDir, LibraryDir: o.Executor.LibraryDir, Log: o.Log,
		})
		if err != nil {
			return nil, errors.Join(err, a.close())
		}
		all = append(all, b)
		a.backends = append(a.backends, b)
		a.describe(b.Info())
	}
	a.resident = func(ctx context.Context, device, n int) error { return all[device].RunResident(ctx, n) }
	a.steps = func() map[string]time.Duration {
		steps := map[string]time.Duration{}
		for _, b := range all {
			busy := b.Busy()
			steps["h2d"] += busy.H2D
			steps["normalize"] += busy.Normalize
			steps["session"] += busy.Session
			steps["d2h"] += busy.D2H
		}
		return steps
	}
	return a, nil
}

// describe adds a device to what runs the model. All devices have the same options, so the last one speaks for them.
func (a *alone) describe(i gpu.Info) {
	maps.Copy(a.about, i.Versions)
	a.batch, a.buckets = i.Batch, i.Buckets
	a.about["device"] = strings.TrimPrefix(a.about["device"]+", "+i.Device, ", ")
	a.about["provider"], a.about["precision"] = i.Provider, string(i.Precision)
	a.about["streams"], a.about["graphs"] = fmt.Sprint(i.Streams), fmt.Sprint(i.Graphs)
}
