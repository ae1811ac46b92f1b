package graph

import (
	"math"

	"github.com/imgvec/imgvec/internal/onnx"
)

// layersOpset is the operator set of graphs with layer normalisation. Gelu has an operator from 20 on; older readers know
// it by its parts, and every provider puts those together again.
const layersOpset = 17

// layerNorm normalises over the last axis, of dim elements.
func (n *network) layerNorm(x, name, key string, dim int64, epsilon float64) string {
	weight := n.Weights(name+".weight", n.load(key+".weight", dim), dim)
	bias := n.Weights(name+".bias", n.load(key+".bias", dim), dim)
	return n.Node("LayerNormalization", name, []string{x, weight, bias}, onnx.Int("axis", -1), onnx.Float32("epsilon", float32(epsilon)))
}

// gelu is x * (1 + erf(x / sqrt 2)) / 2, the exact form that PyTorch has by default.
func (n *network) gelu(x string) string {
	if n.half == "" {
		n.half, n.one, n.root2 = n.Weights("gelu.half", []float32{0.5}), n.Weights("gelu.one", []float32{1}), n.Weights("gelu.root2", []float32{math.Sqrt2})
	}
	erf := n.Node("Erf", x+".erf", []string{n.Node("Div", x+".scaled", []string{x, n.root2})})
	wide := n.Node("Mul", x+".wide", []string{x, n.Node("Add", x+".gate", []string{erf, n.one})})
	return n.Node("Mul", x+".gelu", []string{wide, n.half})
}
