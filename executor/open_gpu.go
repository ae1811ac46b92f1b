package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
)

// openGPUs opens one instance on each device of the given ids, on all devices for none. Of devices that were not named
// (some) those that fail are left out with a note, as long as one works; otherwise it is all or nothing.
func (o *opening) openGPUs(ctx context.Context, ids []string, some bool) error {
	names, err := o.gpus.devices(ids)
	if err != nil {
		return err
	}
	plan := planGPU(o.m, o.opts, func() string { return o.look().Provider })
	var refused error // the first one
	for _, precision := range plan.order {
		fleet := &fleet{names: names, backends: make([]gpuBackend, len(names)), errs: make([]error, len(names))}
		err := fleet.open(ctx, o, precision, some)
		if err == nil {
			o.adopt(fleet, plan.why(precision, refused))
			return nil
		}
		if !errors.Is(err, imgvec.ErrPrecision) || len(plan.order) == 1 {
			return err
		}
		if refused == nil {
			refused = err
		}
	}
	return refused
}

// fleet is the same model on several GPUs, by position in names.
type fleet struct {
	names    []string
	backends []gpuBackend // nil: did not open
	errs     []error
}

// open opens the model on all devices at the same time: it takes seconds each. TensorRT's engines are built by one of
// them, for which the others wait.
func (f *fleet) open(ctx context.Context, o *opening, p imgvec.Precision, some bool) error {
	all, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	for i, name := range f.names {
		wait.Go(func() {
			f.backends[i], f.errs[i] = o.gpus.open(all, o.m.Path, o.m.Spec, gpu.Options{
				Device: name, Precision: p, Provider: o.opts.Provider, Streams: o.opts.Streams, Batch: o.opts.Batch,
				Normalize: o.opts.Normalize, LibraryDir: o.opts.LibraryDir, CacheDir: o.opts.CacheDir, Session: o.opts.Session, Log: o.tell,
				Deterministic: o.opts.Deterministic,
			})
			if f.errs[i] != nil && !some {
				cancel() // the rest is for nothing
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return errors.Join(cause(ctx), f.close())
	}
	err := f.err()
	if opened := slices.ContainsFunc(f.errs, func(err error) bool { return err == nil }); err == nil || some && opened {
		return nil
	}
	return errors.Join(err, f.close())
}

// err is the first error by the order of the devices, and not that of one that was called off because of another.
func (f *fleet) err() (calledOff error) {
	for _, err := range f.errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		if calledOff == nil {
			calledOff = err
		}
	}
	return calledOff
}

func (f *fleet) close() error {
	var errs []error
	for _, b := range f.backends {
		if b != nil {
			errs = append(errs, b.Close())
		}
	}
	return errors.Join(errs...)
}

// adopt makes instances of what has opened, and says what it is.
func (o *opening) adopt(f *fleet, why string) {
	infos := map[string]gpu.Info{}
	var names []string
	for i, name := range f.names {
		if err := f.errs[i]; err != nil {
			o.tell(fmt.Sprintf("%s is not used: %s", name, firstLine(err.Error())))
			continue
		}
		names, infos[name] = append(names, name), f.backends[i].Info()
	}
	o.sizeGPUs(slices.Collect(maps.Values(infos)))
	o.workers = runtime.GOMAXPROCS(0)
	for i, name := range f.names {
		if b := f.backends[i]; f.errs[i] == nil {
			in := newInstance(name, b, min(o.batch, infos[name].Batch))
			if in.timeout = o.opts.DeviceTimeout; in.timeout == 0 {
				in.timeout = gpuTimeout
			}
			o.instances = append(o.instances, in)
			o.workers += b.Streams()
		}
	}
	if o.opts.Workers > 0 {
		o.workers = o.opts.Workers
	}
	o.normalize = false // the devices do it
	o.describe(names, infos, why)
}

// sizeGPUs makes batches as large as the devices take them; those that had less memory take a batch in parts. Where
// every batch is to have one size, the least of the devices' is the size of all.
func (o *opening) sizeGPUs(infos []gpu.Info) {
	batch := infos[0].Batch
	for _, info := range infos {
		if o.deterministic {
			batch = min(batch, info.Batch)
		} else {
			batch = max(batch, info.Batch)
		}
	}
	o.size(batch, o.m.Spec.MaxBatch)
	o.batch = min(o.batch, batch)
}

// describe says what runs the model.
func (o *opening) describe(names []string, infos map[string]gpu.Info, why string) {
	first := infos[names[0]]
	o.about.Precision, o.about.Versions = string(first.Precision), map[string]string{}
	var devices, providers, reasons grouped
	for _, name := range names {
		info := infos[name]
		model := strings.TrimPrefix(info.Device, name)
		devices.add(model, name)
		providers.add(info.Provider, name)
		reasons.add(info.Reason, name)
		maps.Copy(o.about.Versions, info.Versions)
	}
	o.about.Device = devices.join(func(model, names string) string { return names + model })
	o.about.Provider = providers.join(func(provider, _ string) string { return provider })
	for _, r := range reasons {
		if r.key != "" {
			o.notes = append(o.notes, strings.Join(r.names, ", ")+": "+r.key)
		}
	}
	if why != "" {
		o.notes = append(o.notes, strings.Join(names, ", ")+": "+why)
	}
}

// grouped are the names of devices that have something in common, in the order in which it came up.
type grouped []group

type group struct {
	key   string
	names []string
}

func (g *grouped) add(key, name string) {
	i := slices.IndexFunc(*g, func(o group) bool { return o.key == key })
	if i < 0 {
		*g = append(*g, group{key, []string{name}})
		return
	}
	(*g)[i].names = append((*g)[i].names, name)
}

func (g grouped) join(text func(key, names string) string) string {
	parts := make([]string, len(g))
	for i, one := range g {
		parts[i] = text(one.key, strings.Join(one.names, ", "))
	}
	return strings.Join(parts, ", ")
}

// tell passes on a line that a device's opening has for a person, at once: it may take minutes, and a fallback makes the
// whole run another one.
func (o *opening) tell(line string) {
	o.telling.Lock()
	defer o.telling.Unlock()
	if slices.Contains(o.told, line) {
		return
	}
	o.told = append(o.told, line)
	if o.log != nil {
		o.log.Warn("imgvec: " + line)
	}
}
