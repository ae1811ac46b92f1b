package executor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

// cpuBatch is the default batch of a CPU: larger ones are no faster and make rows wait.
const cpuBatch = 8

// Open opens the model on the devices and makes everything ready. ctx is for the opening only. Its errors wrap
// imgvec.ErrModel, ErrNoDevice, ErrNoRuntime, ErrPrecision or ErrOutOfMemory and say what to do.
//
// A host program should have signal.Notify for SIGINT, SIGTERM and SIGHUP in place: see the package's documentation.
func Open(ctx context.Context, opts Options) (*Executor, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if _, err := imgvec.ParseDevices(opts.Device); err != nil {
		return nil, err
	}
	m, err := model.Open(opts.Model, model.OpenOptions{Output: opts.Output})
	if err != nil {
		return nil, err
	}
	return OpenModel(ctx, m, opts)
}

// OpenModel is Open for a model that is open already; opts.Model and opts.Output are not looked at.
func OpenModel(ctx context.Context, m *model.Model, opts Options) (*Executor, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	devices, err := imgvec.ParseDevices(opts.Device)
	if err != nil {
		return nil, err
	}
	pre, err := preprocess.New(m.Spec.Preset, opts.Preprocess)
	if err != nil {
		return nil, err
	}
	o := opening{m: m, opts: opts, gpus: realGPUs, config: opts.config(m.Spec)}
	o.about = Stats{Model: m.Name, SHA256: m.SHA256, Decoder: pre.Decoder()}
	o.decoder = func() decoder { return newImageDecoder(pre.NewWorker()) }
	if m.Note != "" {
		o.notes = append(o.notes, "model "+m.Name+": "+m.Note)
	}
	for _, note := range pre.Notes() {
		o.notes = append(o.notes, "decoders: "+note)
	}
	if err := o.open(ctx, devices); err != nil {
		return nil, err
	}
	return assemble(o.config)
}

// opening collects the parts of an executor.
type opening struct {
	config
	m    *model.Model
	opts Options
	gpus gpus
}

// gpus is package gpu, as tests replace it.
type gpus struct {
	probe   func() error
	devices func(ids []string) (names []string, err error)
	open    func(context.Context, string, imgvec.Spec, gpu.Options) (imgvec.Backend, error)
}

var realGPUs = gpus{gpu.Probe, gpu.Devices, func(ctx context.Context, path string, spec imgvec.Spec, o gpu.Options) (imgvec.Backend, error) {
	return gpu.Open(ctx, path, spec, o)
}}

// open opens the chosen devices. The CPU takes the place of GPUs only where the choice was left to us.
func (o *opening) open(ctx context.Context, d imgvec.Devices) error {
	switch d.Kind {
	case imgvec.DeviceCPU:
		return o.openCPU(ctx)
	case imgvec.DeviceCUDA:
		if err := o.openGPUs(ctx, d.IDs); err != nil {
			return fmt.Errorf("imgvec: open device %q: %w; use device %q, or %q for what is there",
				d, err, imgvec.DeviceCPU, imgvec.DeviceAuto)
		}
		return nil
	}
	err := o.gpus.probe()
	if err == nil {
		if err = o.openGPUs(ctx, nil); err == nil {
			return nil
		}
	}
	if ctx.Err() != nil {
		return cause(ctx)
	}
	o.notes = append(o.notes, fmt.Sprintf("device %s chose the CPU: %v", imgvec.DeviceAuto, err))
	return o.openCPU(ctx)
}

// openGPUs opens one instance on each device of the given ids, on all devices for none. All or nothing.
func (o *opening) openGPUs(ctx context.Context, ids []string) error {
	names, err := o.gpus.devices(ids)
	if err != nil {
		return err
	}
	for _, name := range names {
		backend, err := o.gpus.open(ctx, o.m.Path, o.m.Spec, gpu.Options{
			Device: name, Precision: o.opts.Precision, Streams: o.opts.Streams, LibraryDir: o.opts.LibraryDir,
		})
		if err != nil {
			return errors.Join(err, o.closeAll())
		}
		o.size(backend, o.opts.Batch)
		o.instances = append(o.instances, newInstance(name, backend, o.batch))
		o.workers += backend.Streams()
	}
	o.about.Device = strings.Join(names, ", ")
	if o.workers += runtime.GOMAXPROCS(0); o.opts.Workers > 0 {
		o.workers = o.opts.Workers
	}
	return nil
}

func (o *opening) closeAll() error {
	var errs []error
	for _, in := range o.instances {
		errs = append(errs, in.backend.Close())
	}
	o.instances, o.workers = nil, 0
	return errors.Join(errs...)
}

// openCPU opens one instance that has as many streams as there are workers.
func (o *opening) openCPU(ctx context.Context) error {
	precision, why := cpuPrecision(o.m, o.opts.Precision)
	backend, err := cpu.Open(ctx, o.m.Path, o.m.Spec, cpu.Options{
		Precision: precision, Streams: o.opts.Streams, LibraryDir: o.opts.LibraryDir,
	})
	if err != nil {
		return err
	}
	info := backend.Info()
	o.about.Device, o.about.Provider, o.about.Precision = info.Device, info.Provider, string(info.Precision)
	o.about.Versions = info.Versions
	for _, reason := range []string{info.Reason, why(info.Precision)} {
		if reason != "" {
			o.notes = append(o.notes, "cpu: "+reason)
		}
	}
	o.size(backend, cpuBatch)
	o.instances = append(o.instances, newInstance("cpu", backend, o.batch))
	if o.workers = o.opts.Workers; o.workers == 0 {
		o.workers = max(runtime.GOMAXPROCS(0), backend.Streams())
	}
	return nil
}

// size decides how many images a batch holds.
func (o *opening) size(backend imgvec.Backend, byDevice int) {
	if o.batch = o.opts.Batch; o.batch == 0 {
		o.batch = byDevice
	}
	if most := backend.Spec().MaxBatch; most > 0 && o.batch > most {
		if o.opts.Batch > 0 {
			o.notes = append(o.notes, fmt.Sprintf("batch of %d images: the model takes at most %d", o.batch, most))
		}
		o.batch = most
	}
}
