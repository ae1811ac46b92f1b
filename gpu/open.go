package gpu

import (
	"context"
	"errors"
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/cuda"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/pool"
)

// Open loads the ONNX model at path onto one device. spec names its input and output, and is trusted for the
// preprocessing only: a graph that does not fit is refused with the reason. Where the device has no memory for the
// batch, Open goes on with half of it, and so on; Info tells what came of it.
//
// With TensorRT the first Open of a model on a kind of GPU builds an engine, which takes minutes; it is kept in the cache.
//
// Errors wrap imgvec.ErrNoDevice, ErrNoRuntime (a library is missing or wrong), ErrModel, ErrPrecision or
// ErrOutOfMemory.
func Open(ctx context.Context, path string, spec imgvec.Spec, opts Options) (*Backend, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	opts, err := opts.withDefaults(spec)
	if err != nil {
		return nil, err
	}
	o := &opening{Options: opts, ctx: ctx, given: path, path: path, asked: spec, spec: spec}
	backend, err := o.open()
	if err != nil {
		return nil, fmt.Errorf("imgvec: open model %q on %s: %w", path, opts.Device, err)
	}
	return backend, nil
}

// opening collects what Open finds out.
type opening struct {
	Options
	ctx   context.Context
	given string      // the model's file
	path  string      // of the model that runs: given, or what it was converted to
	sum   string      // that tells that model's bytes; "": not known yet
	asked imgvec.Spec // of the given model
	spec  imgvec.Spec // of the one that runs

	driver    cuda.Driver
	device    cuda.Info
	provider  ort.GPUProvider
	libraries ort.GPULibraries
	reason    string // for provider
	graphs    bool   // each bucket becomes a CUDA graph
	fit       *ort.Fit
	fold      bool   // stored int8 weights become floats while the model loads
	batch     int    // of the largest bucket: Batch, or what is left of it
	engines   string // folder for TensorRT's engines; "": none
}

func (o *opening) open() (*Backend, error) {
	for _, step := range []func() error{o.start, o.read, o.convert, o.chooseProvider, o.learn} {
		if err := o.ctx.Err(); err != nil {
			return nil, err
		}
		if err := step(); err != nil {
			return nil, err
		}
	}
	return o.firstOf(o.attempts(), o.onProvider)
}

// start opens the driver and ONNX Runtime.
func (o *opening) start() (err error) {
	ordinal, err := o.ordinal()
	if err != nil {
		return err
	}
	if o.driver, err = cuda.Start(); err != nil {
		return err
	}
	all, err := cuda.Devices()
	if err != nil {
		return err
	}
	found, err := cuda.Find(all, []string{fmt.Sprint(ordinal)})
	if err != nil {
		return err
	}
	o.device = found[0]
	_, err = ort.Start(o.LibraryDir)
	return err
}

// read checks the model's file.
func (o *opening) read() error {
	graph, err := ort.ReadGraph(o.given)
	if err != nil {
		return err
	}
	if o.fit, err = ort.NewFit(graph, o.spec); err != nil {
		return fmt.Errorf("%w: %w", imgvec.ErrModel, err)
	}
	o.fold = !graph.Quantised
	if graph.Quantised != (o.Precision == imgvec.INT8) {
		if graph.Quantised {
			return refuse(o.Precision, "the model is quantised and computes in int8 whatever is asked; use int8 or auto")
		}
		return refuse(o.Precision, "the model is not quantised")
	}
	return nil
}

// learn finds out the output's shape, where the file does not tell, on the CPU: a device's memory is bound by shape.
func (o *opening) learn() error {
	if o.fit.Tail != nil {
		return nil
	}
	session, err := ort.Open(o.path, o.spec.Input, o.spec.Feature, ort.Options{Streams: 1, Threads: 1})
	if err != nil {
		return err
	}
	if err := errors.Join(o.fit.Learn(session, o.spec), session.Close()); err != nil {
		return fmt.Errorf("%w: %w", imgvec.ErrModel, err)
	}
	return nil
}

// onProvider opens the backend on the chosen provider, with as large a batch as the device has memory for.
func (o *opening) onProvider() (*Backend, error) {
	if o.batch = o.Batch; o.fit.Fixed > 0 {
		o.batch = o.fit.Fixed
	}
	for {
		b, err := o.backend()
		if err == nil || !errors.Is(err, imgvec.ErrOutOfMemory) || o.batch == 1 || o.fit.Fixed > 0 {
			return b, err
		}
		o.batch /= 2
		o.Log(fmt.Sprintf("%s: out of memory, goes on with batches of %d images: %v", o.Device, o.batch, err))
	}
}

// backend opens one backend, or nothing.
func (o *opening) backend() (b *Backend, err error) {
	b = &Backend{spec: o.asked, fit: o.fit, normalize: o.Normalize, simulated: o.driver.Simulated}
	b.info = o.info()
	defer func() {
		if err != nil {
			b, err = nil, errors.Join(err, b.free())
		}
	}()
	if b.device, err = cuda.Open(o.device.Ordinal); err != nil {
		return b, err
	}
	if b.service, err = b.device.NewThread(); err != nil {
		return b, err
	}
	if err = b.service.Do(func() error { return b.kernels.load(b.device, o.fit, o.spec, o.Normalize) }); err != nil {
		return b, err
	}
	if err = o.withEngines(func() error { return o.streams(b) }); err != nil {
		return b, err
	}
	b.streams = pool.New(b.all, fmt.Errorf("imgvec: run model %q: %w", o.asked.Model, imgvec.ErrClosed))
	return b, nil
}

// streams opens the streams one after another: the first builds what the others find in the cache.
func (o *opening) streams(b *Backend) error {
	for range o.Streams {
		s := &stream{b: b}
		b.all = append(b.all, s)
		err := o.ctx.Err()
		if err == nil {
			err = s.open(o)
		}
		if err != nil {
			err = errors.Join(err, b.freeStreams()) // there may be a second try
			return err
		}
	}
	return nil
}

func (o *opening) info() Info {
	i := Info{
		Device:    fmt.Sprintf("%s (%s)", o.Device, o.device.Name),
		Provider:  o.libraries.Provider,
		Precision: o.Precision,
		Streams:   o.Streams,
		Batch:     o.batch,
		Buckets:   o.buckets(),
		Graphs:    o.graphs,
		NUMANode:  o.device.NUMANode,
		Versions:  map[string]string{"cuda_driver": cudaVersion(o.driver.Version)},
		Reason:    o.reason,
	}
	for name, version := range o.libraries.Versions {
		i.Versions[name] = version
	}
	if o.driver.Simulated {
		i.Provider = simulatedProvider
	}
	return i
}
