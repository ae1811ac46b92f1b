package ort

import (
	"fmt"

	"github.com/imgvec/imgvec"
)

// Fit is a model's image input and feature output, as a backend of a spec makes tensors for them.
type Fit struct {
	Input, Output Value
	Tail          []int64 // the output's shape behind the batch axis; nil until known
	Fixed         int     // batch that the model insists on; 0: any
}

// NewFit checks that the graph is what spec says, and says what is wrong where it is not.
func NewFit(graph *Graph, spec imgvec.Spec) (*Fit, error) {
	var f Fit
	var ok bool
	if f.Input, ok = graph.Input(spec.Input); !ok {
		return nil, fmt.Errorf("no input %q (it has %s)", spec.Input, names(graph.Inputs))
	}
	if f.Output, ok = graph.Output(spec.Feature); !ok {
		return nil, fmt.Errorf("no output %q (it has %s)", spec.Feature, names(graph.Outputs))
	}
	if err := f.checkInput(spec); err != nil {
		return nil, err
	}
	return &f, f.checkOutput(spec)
}

var elements = map[imgvec.DType]ElementType{imgvec.Float32: Float32, imgvec.Float16: Float16, imgvec.Uint8: Uint8}

func (f *Fit) checkInput(spec imgvec.Spec) error {
	if want := elements[spec.DType]; want == 0 || f.Input.DType != want {
		return fmt.Errorf("input %q has elements of %v, the model's spec says %q", f.Input.Name, f.Input.DType, spec.DType)
	}
	if f.Input.Shape == nil {
		return nil
	}
	if len(f.Input.Shape) != 4 {
		return fmt.Errorf("input %q has shape %v, an image input has 4 axes", f.Input.Name, f.Input.Shape)
	}
	for i, want := range InputShape(spec, 0)[1:] {
		if have := f.Input.Shape[i+1]; have != -1 && have != want {
			return fmt.Errorf("input %q has shape %v, the model's spec says %v (%s)", f.Input.Name, f.Input.Shape, InputShape(spec, -1), spec.Layout)
		}
	}
	f.Fixed = max(0, int(f.Input.Shape[0]))
	return nil
}

// checkOutput takes [N, Dim] in any form: [N, Dim, 1, 1], or [N, T, C] where Dim is T*C.
func (f *Fit) checkOutput(spec imgvec.Spec) error {
	if f.Output.DType != Float32 && f.Output.DType != Float16 {
		return fmt.Errorf("output %q has elements of %v, features are float32 or float16", f.Output.Name, f.Output.DType)
	}
	if len(f.Output.Shape) < 2 {
		return nil // learnt from a run
	}
	if batch := f.Output.Shape[0]; f.Fixed == 0 && batch > 0 {
		f.Fixed = int(batch)
	}
	for _, d := range f.Output.Shape[1:] {
		if d < 0 {
			return nil
		}
	}
	return f.setTail(f.Output.Shape[1:], spec.Dim)
}

func (f *Fit) setTail(tail []int64, dim int) error {
	if have := Elements(tail); have != dim {
		return fmt.Errorf("output %q has shape [N %v], %d numbers an image, and the model's spec says %d features: name an output with one vector an image",
			f.Output.Name, tail, have, dim)
	}
	f.Tail = tail
	return nil
}

// Learn runs one batch on a CPU session to see the output's shape, where the file does not tell.
func (f *Fit) Learn(session *Session, spec imgvec.Spec) error {
	if f.Output.DType != Float32 {
		return fmt.Errorf("output %q is float16 and the file does not tell its shape", f.Output.Name)
	}
	n := max(1, f.Fixed)
	buffer, err := NewBuffer(n * spec.ImageLen() * f.Input.DType.Size())
	if err != nil {
		return err
	}
	defer buffer.Free()
	in, err := buffer.Tensor(f.Input.DType, InputShape(spec, int64(n)))
	if err != nil {
		return err
	}
	defer in.Destroy() //nolint:errcheck // can't fail
	shape, err := session.OutputShape(in)
	if err != nil {
		return err
	}
	if len(shape) < 2 || shape[0] != int64(n) {
		return fmt.Errorf("output %q has shape %v for a batch of %d: no row an image", f.Output.Name, shape, n)
	}
	return f.setTail(shape[1:], spec.Dim)
}

// InputShape is the input's shape for n images.
func InputShape(spec imgvec.Spec, n int64) []int64 {
	h, w := int64(spec.Preset.InputSize.Height), int64(spec.Preset.InputSize.Width)
	if spec.Layout == imgvec.NHWC {
		return []int64{n, h, w, 3}
	}
	return []int64{n, 3, h, w}
}

// OutputShape is the output's shape for n images. Tail must be known.
func (f *Fit) OutputShape(n int) []int64 { return append([]int64{int64(n)}, f.Tail...) }

func names(values []Value) string {
	const most = 8
	text := ""
	for i, v := range values {
		if i == most {
			return text + fmt.Sprintf(" and %d more", len(values)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q", v.Name)
	}
	if text == "" {
		return "none"
	}
	return text
}
