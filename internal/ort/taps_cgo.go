//go:build cgo && !windows

package ort

import (
	"errors"
	"fmt"

	"github.com/yalue/onnxruntime_go"

	"github.com/imgvec/imgvec"
)

// Taps is a model of which several float32 outputs are read in one run. It is for measuring, not for speed: outputs are
// allocated anew in each run. Run is safe for concurrent use; Close must come after the last Run.
type Taps struct {
	session *onnxruntime_go.DynamicAdvancedSession
	outputs []string
}

// OpenTaps loads the model at path for one input and several outputs. Start must have succeeded, and StartOpenVINO where
// opts.OpenVINO is set.
func OpenTaps(path, input string, outputs []string, opts Options) (*Taps, error) {
	options, err := opts.native()
	if err != nil {
		return nil, err
	}
	defer options.Destroy() //nolint:errcheck // can't fail
	session, err := onnxruntime_go.NewDynamicAdvancedSession(path, []string{input}, outputs, options)
	if err != nil {
		return nil, fmt.Errorf("imgvec: open model %q: %w: %w", path, imgvec.ErrModel, native("create session", err))
	}
	return &Taps{session, outputs}, nil
}

// Run computes all outputs of in and calls see for each, in their order. The values are see's until it returns.
func (t *Taps) Run(in *Tensor, see func(output int, shape []int64, values []float32) error) (err error) {
	out := make([]onnxruntime_go.Value, len(t.outputs))
	if err := t.session.Run([]onnxruntime_go.Value{in.value}, out); err != nil {
		return native("run", err)
	}
	defer func() {
		for _, v := range out {
			err = errors.Join(err, v.Destroy())
		}
	}()
	for i, v := range out {
		tensor, ok := v.(*onnxruntime_go.Tensor[float32])
		if !ok {
			return fmt.Errorf("imgvec: run: output %q is not float32", t.outputs[i])
		}
		if err := see(i, []int64(tensor.GetShape()), tensor.GetData()); err != nil {
			return err
		}
	}
	return nil
}

// Close frees the session.
func (t *Taps) Close() error {
	if t.session == nil {
		return nil
	}
	session := t.session
	t.session = nil
	return session.Destroy()
}
