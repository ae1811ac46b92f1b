package executor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

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
	o := opening{m: m, opts: opts, gpus: realGPUs(), config: opts.config(m.Spec)}
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
	m       *model.Model
	opts    Options
	gpus    gpus
	telling sync.Mutex // of told and log, while several devices open
	report  *gpu.Report
}

// look is what this machine has for GPUs.
func (o *opening) look() gpu.Report {
	if o.report == nil {
		r := o.gpus.look(o.opts.LibraryDir)
		o.report = &r
	}
	return *o.report
}

// open opens the chosen devices. The CPU takes the place of GPUs only where the choice was left to us.
func (o *opening) open(ctx context.Context, d imgvec.Devices) error {
	switch d.Kind {
	case imgvec.DeviceCPU:
		return o.openCPU(ctx)
	case imgvec.DeviceCUDA:
		if err := o.openGPUs(ctx, d.IDs, false); err != nil {
			return fmt.Errorf("imgvec: open device %q: %w%s", d, err, remedy(err))
		}
		return nil
	}
	return o.openBest(ctx)
}

// openBest opens every GPU that works, else the CPU, and says why in one line.
func (o *opening) openBest(ctx context.Context) error {
	if o.opts.Provider != "" {
		if err := o.openGPUs(ctx, nil, true); err != nil {
			return fmt.Errorf("imgvec: open device %q with provider %q, which needs a GPU: %w", imgvec.DeviceAuto, o.opts.Provider, err)
		}
		return nil
	}
	chose := fmt.Sprintf("device %s chose the CPU", imgvec.DeviceAuto)
	if report := o.look(); !report.Usable {
		o.fallBack(chose+": "+firstLine(report.Error), report.Present)
		return o.openCPU(ctx)
	}
	err := o.openGPUs(ctx, nil, true)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return cause(ctx)
	}
	o.fallBack(chose+", since no GPU runs the model: "+firstLine(err.Error()), true)
	return o.openCPU(ctx)
}

// fallBack notes why the CPU takes the place of GPUs. Where there is one (present), or its driver, somebody expects it to
// be used and is told at once; that a machine has none is no news.
func (o *opening) fallBack(why string, present bool) {
	if present {
		o.tell(why)
		return
	}
	o.notes = append(o.notes, why)
}

// Automatic is what Open takes for the model where device and precision are auto and nothing else is asked for, on a
// machine that the two reports describe. It goes by the rules of Open, by the model's records and by its file. It loads
// nothing: that a provider refuses the model turns out when it is opened. The errors are Open's.
func Automatic(m *model.Model, c cpu.Report, g gpu.Report) (Choice, error) {
	if !g.Usable {
		return automaticOnCPU(m, c)
	}
	file, err := c.Choose(m.Path, imgvec.PrecisionAuto)
	if err != nil {
		return Choice{}, err
	}
	return automaticOnGPUs(m, g, file.Precision == imgvec.INT8), nil
}

// remedy is what an error about devices that were named ends with.
func remedy(err error) string {
	if errors.Is(err, imgvec.ErrNoDevice) || errors.Is(err, imgvec.ErrNoRuntime) {
		return fmt.Sprintf("; use device %q, or %q for what is there", imgvec.DeviceCPU, imgvec.DeviceAuto)
	}
	return ""
}

// firstLine is a short form of an error, without the paths that were tried: imgvec doctor has the whole.
func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text, _, _ = strings.Cut(text, "; tried:")
	if before, rest, found := strings.Cut(text, " (tried "); found {
		_, after, _ := strings.Cut(rest, ")")
		text = before + after
	}
	return strings.TrimSuffix(text, ":")
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
	if len(o.opts.Session) > 0 {
		o.notes = append(o.notes, "cpu: the options of the provider are for GPUs and not used")
	}
	info := backend.Info()
	o.about.Device, o.about.Provider, o.about.Precision = info.Device, info.Provider, string(info.Precision)
	o.about.Versions = info.Versions
	for _, reason := range []string{info.Reason, why(info.Precision)} {
		if reason != "" {
			o.notes = append(o.notes, "cpu: "+reason)
		}
	}
	o.size(cpuBatch, backend.Spec().MaxBatch)
	o.instances = append(o.instances, newInstance("cpu", backend, o.batch))
	if o.workers = o.opts.Workers; o.workers == 0 {
		o.workers = max(runtime.GOMAXPROCS(0), backend.Streams())
	}
	return nil
}

// size decides how many images a batch holds. most is what the model takes, 0: any number.
func (o *opening) size(byDevice, most int) {
	if o.batch = o.opts.Batch; o.batch == 0 {
		o.batch = byDevice
	}
	if most > 0 && o.batch > most {
		if o.opts.Batch > 0 {
			o.notes = append(o.notes, fmt.Sprintf("batch of %d images: the model takes at most %d", o.batch, most))
		}
		o.batch = most
	}
}
