package graph

import (
	"math"
	"strings"

	"github.com/imgvec/imgvec/internal/onnx"
)

// pooled makes the features of the tokens.
func (v *vit) pooled(x string) string {
	switch v.s.pool {
	case poolAttention:
		return v.attentionPool(v.layerNorm(x, "norm", v.k.norm))
	case poolMean:
		if v.s.norm {
			return v.mean(v.layerNorm(x, "norm", v.k.norm), Features)
		}
		return v.layerNorm(v.mean(x, "pool"), Features, v.k.poolNorm)
	}
	x = v.Node("Gather", "class", []string{x, "first"}, onnx.Int("axis", 1))
	if v.s.projection == 0 {
		return v.lastNorm(x, Features)
	}
	return v.project(v.lastNorm(x, "norm"))
}

// lastNorm is the norm over the class token.
func (v *vit) lastNorm(x, name string) string {
	if v.s.norm {
		return v.layerNorm(x, name, v.k.norm)
	}
	return v.layerNorm(x, name, v.k.poolNorm)
}

// project is CLIP's projection [N, width] -> [N, dim].
func (v *vit) project(x string) string {
	s := &v.s
	if strings.HasPrefix(v.k.naming, "OpenAI") {
		return v.Node("MatMul", Features, []string{x, v.Weights("projection", v.load(v.k.projection, s.width, s.projection), s.width, s.projection)})
	}
	inputs := []string{x, v.Weights("projection", v.load(v.k.projection+"weight", s.projection, s.width), s.projection, s.width)}
	if bias := v.k.projection + "bias"; has(v.src, bias) {
		inputs = append(inputs, v.Weights("projection.bias", v.load(bias, s.projection), s.projection))
	}
	return v.Node("Gemm", Features, inputs, onnx.Int("transB", 1))
}

// mean is the patches' mean.
func (v *vit) mean(x, name string) string {
	if prefix := v.s.prefix(); prefix > 0 {
		from, to := v.Int64s(name+".from", []int64{prefix}, 1), v.Int64s(name+".to", []int64{math.MaxInt64}, 1)
		x = v.Node("Slice", name+".patches", []string{x, from, to, v.Int64s(name+".axis", []int64{1}, 1)})
	}
	return v.Node("ReduceMean", name, []string{x}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0))
}

// attentionPool is SigLIP's head: one learned query attends to all tokens, then an MLP with a residual. The query does
// not depend on the picture, so its projection is computed here.
func (v *vit) attentionPool(x string) string {
	s := &v.s
	q, k, value := v.poolLayers()
	probe := v.load(v.k.probe, 1, 1, s.width)
	var query []float32
	if !v.failed() {
		query = q.apply(probe, 1/math.Sqrt(float64(s.width/s.heads)))
	}
	constant := v.Weights("pool.query", query, 1, s.heads, 1, s.width/s.heads)
	y := v.attend("pool", constant, v.split(x, "pool.k", k, 0, 2, 3, 1), v.split(x, "pool.v", value, 0, 2, 1, 3))
	y = v.linear(y, "pool.out", v.dense(v.k.poolOut, s.width, s.width, true))
	hidden := side(v.src, v.k.poolFC1+"weight", 0)
	if hidden <= 0 || hidden > 1<<17 {
		hidden = s.hidden
	}
	in, out := v.dense(v.k.poolFC1, hidden, s.width, true), v.dense(v.k.poolFC2, s.width, hidden, true)
	z := v.mlp(v.layerNorm(y, "pool.norm", v.k.poolMLPNorm), "pool.mlp", in, out)
	y = v.Node("Add", "pool.add", []string{y, z})
	return v.Node("Gather", Features, []string{y, "first"}, onnx.Int("axis", 1))
}

// poolLayers are the pool's projections, which timm keeps as q and as k and v.
func (v *vit) poolLayers() (q, k, value dense) {
	width := v.s.width
	if stem, rest, apart := strings.Cut(v.k.poolQKV, "+"); apart {
		kv := v.dense(rest, 2*width, width, true)
		return v.dense(stem, width, width, true), kv.rows(0, width), kv.rows(width, 2*width)
	}
	qkv := v.dense(v.k.poolQKV, 3*width, width, true)
	return qkv.rows(0, width), qkv.rows(width, 2*width), qkv.rows(2*width, 3*width)
}

// apply computes the layer on one vector, times factor.
func (d dense) apply(x []float32, factor float64) []float32 {
	out := make([]float32, d.out)
	for o := range out {
		sum := float64(d.bias[o])
		for i, w := range d.weight[int64(o)*d.in : int64(o+1)*d.in] {
			sum += float64(w) * float64(x[i])
		}
		out[o] = float32(sum * factor)
	}
	return out
}

// head adds the classifier where the checkpoint has one. Hugging Face's of DINOv2 is on the class token and the mean of
// the patches, side by side.
func (v *vit) head(features, tokens string) {
	key := strings.TrimSuffix(v.k.head, ".")
	if key == "" || v.lacks(key+".weight", key+".bias") {
		return
	}
	if _, generated := v.src.(Generator); generated && v.k.naming != "torchvision" {
		return
	}
	if side(v.src, key+".weight", 1) == 2*v.s.width && strings.HasPrefix(v.k.naming, "Hugging Face") {
		mean := v.mean(v.layerNorm(tokens, "norm.patches", v.k.norm), "mean")
		both := v.Node("Concat", "class.and.mean", []string{features, mean}, onnx.Int("axis", 1))
		v.logits(both, key, 2*v.s.width)
		return
	}
	v.logits(features, key, v.s.width)
}
