package graph

import "github.com/imgvec/imgvec/internal/onnx"

// network is a graph while it is built from a checkpoint.
type network struct {
	*onnx.Builder
	*loader
	zero, six        string // constants of ReLU6
	half, one, root2 string // constants of GELU
}

// conv is the geometry of a square convolution.
type conv struct {
	in, out, kernel, stride int64
	before, after           int64 // padding, the same for rows and columns
	group                   int64 // 0: one group
}

// conv adds a convolution with its batch norm folded in.
func (n *network) conv(x, name, key string, bn norm, c conv) string {
	group := max(c.group, 1)
	weight, bias := n.foldedConv(key, bn, c.out, c.in/group, c.kernel)
	return n.convNode(x, name, c, weight, bias)
}

// biasedConv adds a convolution that has a bias and no batch norm.
func (n *network) biasedConv(x, name, key string, c conv) string {
	weight := n.load(key+".weight", c.out, c.in/max(c.group, 1), c.kernel, c.kernel)
	return n.convNode(x, name, c, weight, n.load(key+".bias", c.out))
}

func (n *network) convNode(x, name string, c conv, weight, bias []float32) string {
	group := max(c.group, 1)
	inputs := []string{x, n.Weights(name+".weight", weight, c.out, c.in/group, c.kernel, c.kernel), n.Weights(name+".bias", bias, c.out)}
	return n.Node("Conv", name, inputs,
		onnx.Ints("dilations", 1, 1), onnx.Int("group", group), onnx.Ints("kernel_shape", c.kernel, c.kernel),
		onnx.Ints("pads", c.before, c.before, c.after, c.after), onnx.Ints("strides", c.stride, c.stride))
}

// classifier ends the graph: global average pool to the features, a linear layer to the logits.
func (n *network) classifier(x, key string, dim int64) {
	pooled := n.Node("GlobalAveragePool", "pool", []string{x})
	n.Node("Flatten", Features, []string{pooled}, onnx.Int("axis", 1))
	n.Output(Features, onnx.Batched(dim))
	n.logits(Features, key, dim)
}

// logits adds the classifier on x [N, dim] where the checkpoint has one; its number of classes is the checkpoint's.
func (n *network) logits(x, key string, dim int64) {
	if n.lacks(key+".weight", key+".bias") {
		return
	}
	classes := n.classes(key + ".weight")
	weight := n.Weights("classifier.weight", n.load(key+".weight", classes, dim), classes, dim)
	bias := n.Weights("classifier.bias", n.load(key+".bias", classes), classes)
	n.Node("Gemm", Logits, []string{x, weight, bias}, onnx.Int("transB", 1))
	n.Output(Logits, onnx.Batched(classes))
}

// classes is the number of rows of the classifier's weights, 1000 where the checkpoint does not tell.
func (n *network) classes(name string) int64 {
	if shape, ok := n.shape(name); ok && len(shape) == 2 && shape[0] > 0 && shape[0] < 1<<20 {
		return shape[0]
	}
	return 1000
}

// done gives the graph, or says what the checkpoint lacks.
func (n *network) done() (*onnx.Builder, error) {
	if err := n.finish(); err != nil {
		return nil, err
	}
	return n.Builder, nil
}
