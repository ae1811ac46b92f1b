package onnx

// shape is a value's shape: the declared one, else what the operation that makes it tells. nil: not known.
func (x *Index) shape(value string) []Dim {
	for range maxWalk {
		if v := x.Declared(value); v != nil && v.Shape != nil {
			return v.Shape
		}
		n := x.Producer(value)
		if n == nil || len(n.Inputs) == 0 {
			return nil
		}
		switch n.Op {
		case "Gemm":
			return x.gemmShape(n)
		case "GlobalAveragePool", "GlobalMaxPool", "QLinearGlobalAveragePool":
			return x.pooledShape(n)
		case "Flatten":
			return x.flatShape(n)
		case "Relu", "Clip", "Sigmoid", "Tanh", "Gelu", "HardSwish", "LeakyRelu", "Elu", "Identity", "Dropout", "Cast",
			"BatchNormalization", "LayerNormalization", "QuantizeLinear", "DequantizeLinear", "Softmax", "LpNormalization":
			value = n.Inputs[0]
		case "Conv":
			return x.convShape(n)
		case "Add", "Mul":
			if value = n.Inputs[0]; x.weight[value] != nil {
				value = n.Inputs[len(n.Inputs)-1]
			}
		default:
			return nil
		}
	}
	return nil
}

// convShape is that of a two-dimensional convolution; its rows and columns are not worked out.
func (x *Index) convShape(n *Node) []Dim {
	if len(n.Inputs) > 1 {
		if dims, ok := x.Dims(n.Inputs[1]); ok && len(dims) == 4 {
			return Batched(dims[0], 0, 0)
		}
	}
	return nil
}

func (x *Index) gemmShape(n *Node) []Dim {
	if len(n.Inputs) < 2 {
		return nil
	}
	dims, ok := x.Dims(n.Inputs[1])
	if !ok || len(dims) != 2 {
		return nil
	}
	out := dims[1]
	if n.IntAttr("transB", 0) != 0 {
		out = dims[0]
	}
	return Batched(out)
}

func (x *Index) pooledShape(n *Node) []Dim {
	if n.Op == "QLinearGlobalAveragePool" && n.IntAttr("channels_last", 0) != 0 {
		return nil
	}
	channels := x.channels(n.Inputs[0], maxWalk)
	if channels == 0 {
		return nil
	}
	return Batched(channels, 1, 1)
}

// flatShape is that of a Flatten behind a global pooling, which is the only one whose size is easy to tell.
func (x *Index) flatShape(n *Node) []Dim {
	in := x.Producer(n.Inputs[0])
	if in == nil || n.IntAttr("axis", 1) != 1 || len(in.Inputs) == 0 {
		return nil
	}
	if in.Op != "GlobalAveragePool" && in.Op != "GlobalMaxPool" {
		return nil
	}
	if pooled := x.pooledShape(in); pooled != nil {
		return pooled[:2]
	}
	return nil
}

// channels is the size of a value's second axis, 0 where it can't be told within budget nodes.
func (x *Index) channels(value string, budget int) int64 {
	if budget <= 0 {
		return 0
	}
	if v := x.Declared(value); v != nil && len(v.Shape) > 1 {
		return v.Shape[1].Size
	}
	n := x.Producer(value)
	if n == nil || len(n.Inputs) == 0 {
		return 0
	}
	switch n.Op {
	case "Conv":
		if len(n.Inputs) > 1 {
			if dims, ok := x.Dims(n.Inputs[1]); ok && len(dims) > 0 {
				return dims[0]
			}
		}
		return 0
	case "Concat":
		return x.concatChannels(n, budget)
	case "Relu", "Clip", "Sigmoid", "HardSwish", "LeakyRelu", "BatchNormalization", "MaxPool", "AveragePool", "Dropout",
		"Identity", "Cast", "Add", "Mul", "QuantizeLinear", "DequantizeLinear":
		return x.channels(n.Inputs[0], budget-1)
	}
	return 0
}

func (x *Index) concatChannels(n *Node, budget int) int64 {
	if n.IntAttr("axis", 0) != 1 {
		return 0
	}
	total := int64(0)
	for _, in := range n.Inputs {
		// The budget is shared out, so that a chain of Concats can't take exponential time.
		c := x.channels(in, budget/(len(n.Inputs)+1))
		if c <= 0 || c > 1<<24 {
			return 0
		}
		total += c
	}
	return total
}
