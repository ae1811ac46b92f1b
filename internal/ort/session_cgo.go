//go:build cgo && !windows

package ort

import (
	"errors"
	"fmt"

	"github.com/yalue/onnxruntime_go"

	"github.com/imgvec/imgvec"
)

// Session is a model that was loaded. Run is safe for concurrent use; Close must come after the last Run.
type Session struct {
	session *onnxruntime_go.DynamicAdvancedSession
}

// Open loads the model at path for one input and one output. Start must have succeeded, and StartOpenVINO where
// opts.OpenVINO is set.
func Open(path, input, output string, opts Options) (*Session, error) {
	options, err := opts.native()
	if err != nil {
		return nil, err
	}
	defer options.Destroy() //nolint:errcheck // can't fail
	session, err := onnxruntime_go.NewDynamicAdvancedSession(path, []string{input}, []string{output}, options)
	if err != nil {
		return nil, fmt.Errorf("imgvec: open model %q: %w: %w", path, imgvec.ErrModel, native("create session", err))
	}
	return &Session{session}, nil
}

// native builds ONNX Runtime's options. With OpenVINO, ONNX Runtime needs no threads of its own. Without, each caller of Run
// computes in its own thread, and gets helpers where there are more threads than streams. Helpers sleep when idle: the
// decoders need the core.
func (o Options) native() (*onnxruntime_go.SessionOptions, error) {
	options, err := onnxruntime_go.NewSessionOptions()
	if err != nil {
		return nil, native("create session options", err)
	}
	threads := 1
	if !o.OpenVINO {
		threads = max(1, o.Threads/max(1, o.Streams))
	}
	level, _ := logLevel()
	err = errors.Join(
		options.SetIntraOpNumThreads(threads),
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		options.SetInterOpNumThreads(1),
		options.SetLogSeverityLevel(level),
	)
	if err == nil && o.Fold {
		err = options.AddSessionConfigEntry(foldKey, "1")
	}
	if err == nil && o.OpenVINO {
		err = o.appendOpenVINO(options)
	}
	if err != nil {
		return nil, errors.Join(native("set session options", err), options.Destroy())
	}
	return options, nil
}

func (o Options) appendOpenVINO(options *onnxruntime_go.SessionOptions) error {
	process.Lock()
	device := process.plugin.device
	process.Unlock()
	if device == nil {
		return errors.New("imgvec: BUG: session on OpenVINO before StartOpenVINO")
	}
	config, err := o.loadConfig()
	if err != nil {
		return err
	}
	return options.AppendExecutionProviderV2([]onnxruntime_go.EpDevice{*device}, map[string]string{"load_config": config})
}

// Run computes out from in.
func (s *Session) Run(in, out *Tensor) error {
	if err := s.session.Run([]onnxruntime_go.Value{in.value}, []onnxruntime_go.Value{out.value}); err != nil {
		return native("run", err)
	}
	return nil
}

// OutputShape runs the session once and tells the shape of what came out, for models that do not say. It does not work
// for float16 outputs, whose size onnxruntime_go computes wrongly.
func (s *Session) OutputShape(in *Tensor) ([]int64, error) {
	out := []onnxruntime_go.Value{nil}
	if err := s.session.Run([]onnxruntime_go.Value{in.value}, out); err != nil {
		return nil, native("run", err)
	}
	shape := []int64(out[0].GetShape().Clone())
	return shape, out[0].Destroy()
}

// Close frees the session.
func (s *Session) Close() error {
	if s.session == nil {
		return nil
	}
	session := s.session
	s.session = nil
	return session.Destroy()
}
