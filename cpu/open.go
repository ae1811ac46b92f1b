package cpu

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/pool"
)

// The providers that Options.Provider names.
const (
	OpenVINO = "openvino"
	CPU      = "cpu" // ONNX Runtime's own
)

// Options are how a model is opened. The zero value is the default.
type Options struct {
	Precision  imgvec.Precision // "" and auto: see the package's text
	Provider   string           // "": the best for the precision, see the package's text; OpenVINO; CPU
	Threads    int              // that compute, all streams together; 0: GOMAXPROCS
	Streams    int              // batches at once; 0: one a thread
	LibraryDir string           // folder, or file, of ONNX Runtime; "": the usual search
}

// Open loads the ONNX model at path. spec names its input and output, and is trusted for the preprocessing only: a
// graph that does not fit is refused with the reason.
//
// Errors wrap imgvec.ErrNoRuntime (ONNX Runtime is missing or wrong), ErrModel, ErrPrecision or ErrNoDevice (a provider
// asked for by name can't be used). A host program should handle SIGINT and SIGTERM: see the package's text.
func Open(ctx context.Context, path string, spec imgvec.Spec, opts Options) (*Backend, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := opts.check(spec); err != nil {
		return nil, err
	}
	graph, err := ort.ReadGraph(path)
	if err != nil {
		return nil, err
	}
	shapes, err := ort.NewFit(graph, spec)
	if err != nil {
		return nil, fmt.Errorf("imgvec: open model %q: %w: %w", path, imgvec.ErrModel, err)
	}
	b := &Backend{spec: spec, shapes: shapes, table: spec.Preset.Table()}
	if err := b.open(path, graph, opts); err != nil {
		return nil, errors.Join(err, b.closeSessions())
	}
	if shapes.Tail == nil {
		if err := shapes.Learn(b.sessions[0], spec); err != nil {
			return nil, errors.Join(fmt.Errorf("imgvec: open model %q: %w: %w", path, imgvec.ErrModel, err), b.closeSessions())
		}
	}
	streams := make([]*stream, b.info.Streams)
	for i := range streams {
		streams[i] = &stream{session: b.sessions[i%len(b.sessions)]}
	}
	b.streams = pool.New(streams, fmt.Errorf("imgvec: run model %q: %w", spec.Model, imgvec.ErrClosed))
	return b, nil
}

func (o Options) check(spec imgvec.Spec) error {
	switch {
	case o.Provider != "" && o.Provider != OpenVINO && o.Provider != CPU:
		return fmt.Errorf("imgvec: open model on the CPU: provider %q is unknown (%s, %s)", o.Provider, OpenVINO, CPU)
	case o.Threads < 0 || o.Streams < 0:
		return fmt.Errorf("imgvec: open model on the CPU: %d threads in %d streams", o.Threads, o.Streams)
	}
	if err := spec.Preset.Check(); err != nil {
		return fmt.Errorf("imgvec: open model %q: %w: %w", spec.Model, imgvec.ErrModel, err)
	}
	if spec.Dim <= 0 || spec.MaxBatch < 0 {
		return fmt.Errorf("imgvec: open model %q: %w: %d features, batches of %d", spec.Model, imgvec.ErrModel, spec.Dim, spec.MaxBatch)
	}
	return nil
}

// open starts the libraries and loads the sessions, on the provider that is best or on what is left.
func (b *Backend) open(path string, graph *ort.Graph, opts Options) error {
	environment, err := ort.Start(opts.LibraryDir)
	if err != nil {
		return err
	}
	c, err := choose(opts.Precision, opts.Provider, detect(), formOf(graph))
	if err != nil {
		return err
	}
	if c.provider == OpenVINO {
		openvino, err := ort.StartOpenVINO(opts.LibraryDir)
		switch {
		case err == nil:
			err = b.load(path, graph, c, opts, info(environment, openvino, c))
			if err == nil || opts.Provider == OpenVINO {
				return err
			}
			err = errors.Join(err, b.closeSessions()) // OpenVINO refused this model: what ONNX Runtime says of it counts
		case opts.Provider == OpenVINO:
			return fmt.Errorf("imgvec: open model on OpenVINO: %w: %w", imgvec.ErrNoDevice, err)
		}
		if c, err = c.without(opts.Precision, err); err != nil {
			return err
		}
	}
	return b.load(path, graph, c, opts, info(environment, ort.OpenVINO{}, c))
}

// load makes one session for all streams, so that they share the weights. A model that computes in int8 with
// DequantizeLinear gets a session a stream on OpenVINO: its streams do not share such weights soundly (see
// ort.Options.Fold, which would end the int8).
func (b *Backend) load(path string, graph *ort.Graph, c choice, opts Options, info Info) error {
	b.info = info
	b.info.Threads, b.info.Streams = opts.parallel()
	options := ort.Options{OpenVINO: c.provider == OpenVINO, Precision: c.hint, Fold: !graph.Quantised}
	sessions := 1
	if options.OpenVINO && graph.Quantised && graph.Dequantises {
		sessions = b.info.Streams
	}
	options.Streams, options.Threads = b.info.Streams/sessions, max(1, b.info.Threads/sessions)
	for range sessions {
		session, err := ort.Open(path, b.spec.Input, b.spec.Feature, options)
		if err != nil {
			return err
		}
		b.sessions = append(b.sessions, session)
	}
	return nil
}

// parallel is the number of threads and of streams. A thread is never shared by two streams.
func (o Options) parallel() (threads, streams int) {
	threads = o.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	streams = o.Streams
	if streams == 0 {
		streams = threads
	}
	return max(threads, streams), streams
}

func info(environment ort.Environment, openvino ort.OpenVINO, c choice) Info {
	i := Info{
		Device:    "cpu (" + detect().Name + ")",
		Provider:  "ONNX Runtime CPU",
		Precision: c.precision,
		Versions:  map[string]string{"onnxruntime": environment.Version},
		Reason:    c.reason,
	}
	if c.provider == OpenVINO {
		i.Provider = "OpenVINO"
		if version := openvinoVersion(openvino.Path); version != "" {
			i.Provider += " " + version
			i.Versions["openvino"] = version
		}
	}
	return i
}

// openvinoVersion reads it off the name of the core beside the plugin: libopenvino.so.2641 is 2026.4.1.
func openvinoVersion(plugin string) string {
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(plugin), "libopenvino.so.*"))
	for _, file := range files {
		_, digits, _ := strings.Cut(filepath.Base(file), ".so.")
		if len(digits) >= 4 && !strings.Contains(digits, ".") {
			return fmt.Sprintf("20%s.%s.%s", digits[:2], digits[2:3], digits[3:])
		}
	}
	return ""
}
