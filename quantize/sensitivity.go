package quantize

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/imgvec/imgvec/internal/onnx"
)

// Bounds of the search for layers that hurt.
const (
	aloneImages = 8       // images that a layer alone is measured on
	aloneBytes  = 4 << 30 // of models written for it
	aloneLeast  = 12      // layers that are measured however large the model is
)

// leaveOut leaves layers in float, the ones that hurt most first, until the aim is reached or half of all are out. It gives
// the best graph that it saw.
func (q *quantisation) leaveOut(ctx context.Context, ranges map[string]onnx.Range) (*onnx.Edit, error) {
	images := &q.sets[choosing]
	best, err := q.quantised(ranges, q.stay, "")
	if err != nil {
		return nil, err
	}
	most := q.report.best()
	if most >= q.opts.Aim {
		return best, nil
	}
	q.log("mean cosine %.5f is below %v: looking for the layers that hurt", most, q.opts.Aim)
	suspects, err := q.suspects(ctx, ranges)
	if err != nil {
		return nil, err
	}
	chosen := 0
	for k := 1; k <= len(suspects) && k <= max(1, len(q.layers)/2); k = next(k, len(suspects)) {
		stay := map[string]bool{}
		for name := range q.stay {
			stay[name] = true
		}
		for _, f := range suspects[:k] {
			stay[f.Name] = true
		}
		graph, err := q.quantised(ranges, stay, "")
		if err != nil {
			return nil, err
		}
		got, err := q.score(ctx, graph, images)
		if err != nil {
			return nil, err
		}
		q.log("mean cosine %.5f with %d more in float", got, k)
		if got > most {
			best, most, chosen = graph, got, k
		}
		if got >= q.opts.Aim {
			break
		}
	}
	q.report.Float = append(q.report.Float, suspects[:chosen]...)
	return best, nil
}

// next is how many layers are left out after k: one by one at first.
func next(k, all int) int {
	step := max(1, k/4)
	if k < all && k+step > all {
		return all
	}
	return k + step
}

func (r *Report) best() float64 {
	most := -2.0
	for _, m := range r.Methods {
		most = max(most, m.Cosine)
	}
	return most
}

// suspects are the layers with how well the model does with each of them alone in int8, the worst first. In a large model,
// only those that a look at their numbers finds noisy.
func (q *quantisation) suspects(ctx context.Context, ranges map[string]onnx.Range) ([]FloatLayer, error) {
	few := q.sets[choosing]
	few.pixels = few.pixels[:min(aloneImages, few.len())*q.model.Spec.ImageLen()]
	layers := slices.DeleteFunc(slices.Clone(q.layers), func(l onnx.Layer) bool { return q.stay[l.Name] })
	var bytes int64
	for _, l := range q.layers {
		bytes += 4 * l.Weights
	}
	noise := map[string]float64{}
	for _, l := range layers {
		noise[l.Name] = q.noise(l, ranges)
	}
	slices.SortStableFunc(layers, func(a, b onnx.Layer) int { return cmp.Compare(noise[b.Name], noise[a.Name]) })
	layers = layers[:min(len(layers), max(aloneLeast, int(aloneBytes/max(1, bytes))))]
	var list []FloatLayer
	for i, l := range layers {
		graph, err := q.quantised(ranges, q.stay, l.Name)
		if err != nil {
			return nil, err
		}
		got, err := q.score(ctx, graph, &few)
		if err != nil {
			return nil, err
		}
		list = append(list, FloatLayer{l.Name, l.Op, got})
		if (i+1)%10 == 0 {
			q.log("%d of %d layers are measured alone", i+1, len(layers))
		}
	}
	slices.SortStableFunc(list, func(a, b FloatLayer) int { return cmp.Compare(a.Alone, b.Alone) })
	if len(list) > 0 {
		q.log("the layer that hurts most is %s (%s): with it alone in int8 the mean cosine is %.5f", list[0].Name, list[0].Op, list[0].Alone)
	}
	return list, nil
}

// noise is about how much of a layer's output is error when it alone is in int8: that of its weights and of its input, each
// as a share of their power.
func (q *quantisation) noise(l onnx.Layer, ranges map[string]onnx.Range) float64 {
	h := q.tensors[l.Input]
	share := 0.0
	if p := h.power(); p > 0 {
		share = h.noise(ranges[l.Input]) / p
	}
	weights, err := q.float.WeightNoise(l)
	if err != nil || math.IsNaN(weights) {
		weights = math.Inf(1)
	}
	return share + weights
}

// String is a line for a person.
func (f FloatLayer) String() string {
	if f.Alone == 0 {
		return fmt.Sprintf("%s (%s): as asked", f.Name, f.Op)
	}
	return fmt.Sprintf("%s (%s): alone in int8 it takes the mean cosine to %.5f", f.Name, f.Op, f.Alone)
}
