package quantize

import (
	"context"
	"errors"
	"fmt"

	"github.com/imgvec/imgvec/internal/onnx"
)

// calibrate runs the float model with the tensors that get ranges as outputs, and counts their values.
func (q *quantisation) calibrate(ctx context.Context) (err error) {
	values := q.values()
	graph := q.float.Clone()
	q.tensors = map[string]*histogram{}
	var outputs []string
	for _, v := range values {
		q.tensors[v] = &histogram{}
		if v != q.model.Spec.Input {
			graph.AddOutput(v)
			outputs = append(outputs, v)
		}
	}
	q.log("calibrating: %d tensors of %d layers, %d images", len(values), len(q.layers), q.sets[calibrating].len())
	s, err := q.open(graph, outputs, batchTap)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	done := 0
	err = s.each(ctx, &q.sets[calibrating], func(output, n int, shape []int64, values []float32) error {
		if len(shape) == 0 || int(shape[0]) < n {
			return fmt.Errorf("value %q has shape %v for %d images", outputs[output], shape, n)
		}
		if output == 0 {
			if done += n; done/20 != (done-n)/20 {
				q.log("calibrated on %d of %d images", done, q.sets[calibrating].len())
			}
		}
		if err := q.tensors[outputs[output]].add(values[:len(values)/int(shape[0])*n]); err != nil {
			return fmt.Errorf("value %q: %w", outputs[output], err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return q.countInput()
}

// countInput counts the values that go into the model, which the session does not give out.
func (q *quantisation) countInput() error {
	h := q.tensors[q.model.Spec.Input]
	if h == nil {
		return nil
	}
	table := q.model.Spec.Preset.Table()
	values := make([]float32, q.model.Spec.ImageLen())
	for i := range q.sets[calibrating].len() {
		for k, v := range q.sets[calibrating].image(i) {
			values[k] = table[k%3][v]
		}
		if err := h.add(values); err != nil {
			return err
		}
	}
	return nil
}

// methods are the ways to set a tensor's range, the plain one first.
var methods = []struct {
	name string
	of   func(*histogram) onnx.Range
}{
	{"min-max", (*histogram).minMax},
	{"percentile 99.999", func(h *histogram) onnx.Range { return h.percentile(0.99999) }},
	{"percentile 99.99", func(h *histogram) onnx.Range { return h.percentile(0.9999) }},
	{"least squared error", (*histogram).leastError},
}

// choose tries every method on the images for choosing and takes the best.
func (q *quantisation) choose(ctx context.Context) (map[string]onnx.Range, error) {
	images := &q.sets[choosing]
	var err error
	if q.want[choosing], err = q.vectors(ctx, q.float, images); err != nil {
		return nil, err
	}
	var best map[string]onnx.Range
	most := -2.0
	for _, m := range methods {
		ranges := map[string]onnx.Range{}
		for v, h := range q.tensors {
			ranges[v] = m.of(h)
		}
		graph, err := q.quantised(ranges, q.stay, "")
		if err != nil {
			return nil, err
		}
		got, err := q.score(ctx, graph, images)
		if err != nil {
			return nil, err
		}
		q.log("%s: mean cosine %.5f on %d images", m.name, got, images.len())
		q.report.Methods = append(q.report.Methods, Method{m.name, got})
		if got > most {
			best, most, q.report.Method = ranges, got, m.name
		}
	}
	return best, nil
}

// score is the mean cosine of a graph's features to the float model's, over the images for choosing or some of them.
func (q *quantisation) score(ctx context.Context, graph *onnx.Edit, images *set) (float64, error) {
	got, err := q.vectors(ctx, graph, images)
	if err != nil {
		return 0, err
	}
	want := q.want[choosing]
	want.features = want.features[:len(got.features)]
	return mean(cosines(want, got)), nil
}
