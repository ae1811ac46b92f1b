package cpu

import (
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
)

// maxChunk is the most images that go into one session run: it bounds the scratch of a stream, and larger ones are no
// faster.
const maxChunk = 64

// shapes are the tensors of a model: what Run makes of a batch.
type shapes struct {
	input, output ort.Value
	tail          []int64 // the output's shape behind the batch axis; nil until known
	fixed         int     // batch that the model insists on; 0: any
}

// newShapes checks that the graph is what spec says, and says what is wrong where it is not.
func newShapes(graph *ort.Graph, spec imgvec.Spec) (*shapes, error) {
	var s shapes
	var ok bool
	if s.input, ok = graph.Input(spec.Input); !ok {
		return nil, fmt.Errorf("no input %q (it has %s)", spec.Input, names(graph.Inputs))
	}
	if s.output, ok = graph.Output(spec.Feature); !ok {
		return nil, fmt.Errorf("no output %q (it has %s)", spec.Feature, names(graph.Outputs))
	}
	if err := s.checkInput(spec); err != nil {
		return nil, err
	}
	return &s, s.checkOutput(spec)
}

var elements = map[imgvec.DType]ort.ElementType{imgvec.Float32: ort.Float32, imgvec.Float16: ort.Float16, imgvec.Uint8: ort.Uint8}

func (s *shapes) checkInput(spec imgvec.Spec) error {
	if want := elements[spec.DType]; want == 0 || s.input.DType != want {
		return fmt.Errorf("input %q has elements of %v, the model's spec says %q", s.input.Name, s.input.DType, spec.DType)
	}
	if s.input.Shape == nil {
		return nil
	}
	if len(s.input.Shape) != 4 {
		return fmt.Errorf("input %q has shape %v, an image input has 4 axes", s.input.Name, s.input.Shape)
	}
	for i, want := range inputShape(spec, 0)[1:] {
		if have := s.input.Shape[i+1]; have != -1 && have != want {
			return fmt.Errorf("input %q has shape %v, the model's spec says %v (%s)", s.input.Name, s.input.Shape, inputShape(spec, -1), spec.Layout)
		}
	}
	s.fixed = max(0, int(s.input.Shape[0]))
	return nil
}

// checkOutput takes [N, Dim] in any form: [N, Dim, 1, 1], or [N, T, C] where Dim is T*C.
func (s *shapes) checkOutput(spec imgvec.Spec) error {
	if s.output.DType != ort.Float32 && s.output.DType != ort.Float16 {
		return fmt.Errorf("output %q has elements of %v, features are float32 or float16", s.output.Name, s.output.DType)
	}
	if len(s.output.Shape) < 2 {
		return nil // learnt from a run
	}
	if batch := s.output.Shape[0]; s.fixed == 0 && batch > 0 {
		s.fixed = int(batch)
	}
	for _, d := range s.output.Shape[1:] {
		if d < 0 {
			return nil
		}
	}
	return s.setTail(s.output.Shape[1:], spec.Dim)
}

func (s *shapes) setTail(tail []int64, dim int) error {
	if have := ort.Elements(tail); have != dim {
		return fmt.Errorf("output %q has shape [N %v], %d numbers an image, and the model's spec says %d features: name an output with one vector an image",
			s.output.Name, tail, have, dim)
	}
	s.tail = tail
	return nil
}

// learn runs one batch to see the output's shape, where the file does not tell.
func (s *shapes) learn(session *ort.Session, spec imgvec.Spec) error {
	if s.output.DType != ort.Float32 {
		return fmt.Errorf("output %q is float16 and the file does not tell its shape", s.output.Name)
	}
	n := max(1, s.fixed)
	buffer, err := ort.NewBuffer(n * spec.ImageLen() * s.input.DType.Size())
	if err != nil {
		return err
	}
	defer buffer.Free()
	in, err := buffer.Tensor(s.input.DType, inputShape(spec, int64(n)))
	if err != nil {
		return err
	}
	defer in.Destroy() //nolint:errcheck // can't fail
	shape, err := session.OutputShape(in)
	if err != nil {
		return err
	}
	if len(shape) < 2 || shape[0] != int64(n) {
		return fmt.Errorf("output %q has shape %v for a batch of %d: no row an image", s.output.Name, shape, n)
	}
	return s.setTail(shape[1:], spec.Dim)
}

// inputShape is the input's shape for n images.
func inputShape(spec imgvec.Spec, n int64) []int64 {
	h, w := int64(spec.Preset.InputSize.Height), int64(spec.Preset.InputSize.Width)
	if spec.Layout == imgvec.NHWC {
		return []int64{n, h, w, 3}
	}
	return []int64{n, 3, h, w}
}

func (s *shapes) outputShape(n int) []int64 { return append([]int64{int64(n)}, s.tail...) }

func names(values []ort.Value) string {
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
