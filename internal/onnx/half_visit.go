package onnx

// visit decides what a node computes in, and so what its outputs are. Nodes come in the order of the file, which is
// one in which they can run.
func (h *half) visit(n *halfNode, variance bool) error {
	own := n.node.Domain == "" || n.node.Domain == ownDomain
	op, known := halfOps[n.node.Op]
	switch {
	case !own:
		return h.visitOther(n, whyForeign)
	case n.node.Op == "Constant":
		return h.visitConstant(n)
	case n.node.Op == "Cast":
		h.visitCast(n)
		return nil
	case n.node.Op == "Shape", n.node.Op == "Size":
		n.mode = modeAny
		h.give(n, halfValue{elem: Int64})
		return nil
	case !known:
		return h.visitOther(n, whyOther)
	}
	n.op = op
	return h.visitKnown(n, variance)
}

func (h *half) visitConstant(n *halfNode) error {
	c, err := h.m.constant(*n.node)
	if err != nil {
		return err
	}
	v := halfValue{elem: c.tensor.Elem, exact: true}
	if v.elem == Float {
		v.constant = c
	}
	h.give(n, v)
	return nil
}

// visitCast: whole numbers of up to 8 bits are exact in float16. Larger ones count something, and stay.
func (h *half) visitCast(n *halfNode) {
	to := Elem(int32(n.node.IntAttr("to", 0)))
	in := h.inputValue(n, 0)
	switch {
	case to != Float || len(n.node.Inputs) != 1 || len(n.node.Outputs) != 1:
		n.mode = modeAny
		h.give(n, halfValue{elem: to, exact: in.exact})
	case in.elem == Float && in.half, in.elem == Uint8, in.elem == Int8, in.elem == boolean, in.elem == Float16:
		if in.exact {
			h.give(n, halfValue{elem: Float, exact: true})
			return
		}
		n.mode = modeCast
		h.give(n, halfValue{elem: Float, half: true})
	case in.elem == Float:
		h.give(n, halfValue{elem: Float, exact: in.exact, kept: in.kept})
	default:
		h.give(n, halfValue{elem: Float, exact: in.elem != 0, kept: in.elem == 0})
	}
}

// visitOther is a node of which nothing is known: it stays as it is, and its types are those that the file declares.
func (h *half) visitOther(n *halfNode, why string) error {
	inside, err := h.m.bodies(*n.node)
	if err != nil {
		return err
	}
	for _, name := range inside.names {
		h.captured[name] = true
	}
	results := inside.results
	if n.node.Op == "Loop" && len(results) > 0 {
		results = results[1:] // without the condition
	}
	exact, touches := why == whyOther && inside.results == nil, false
	for k := range n.node.Inputs {
		v := h.inputValue(n, k)
		touches = touches || v.elem == Float
		exact = exact && (v.exact || v.elem != Float && v.elem != 0)
	}
	for k, name := range n.node.Outputs {
		v := halfValue{elem: fixedTypes[n.node.Op], exact: exact, kept: !exact}
		if k < len(results) {
			v.elem = results[k]
		}
		if n.node.Op == "ConstantOfShape" && why == whyOther {
			v.elem = h.m.filling(*n.node)
		}
		h.giveOne(name, v)
		touches = touches || h.values[name] != nil && h.values[name].elem == Float
	}
	switch {
	case exact || !touches:
	case inside.results != nil:
		n.why = whyBody
	default:
		n.why = why
	}
	return nil
}

// filling is the type of a ConstantOfShape.
func (m *Model) filling(n Node) Elem {
	if c, err := m.constant(n); err == nil && c.tensor.Elem != 0 {
		return c.tensor.Elem
	}
	return Float
}

// visitKnown is a node of an operation in the table.
func (h *half) visitKnown(n *halfNode, variance bool) error {
	elem, typed, exact, kept := h.inputTypes(n)
	result := halfValue{elem: elem, exact: exact, kept: kept}
	if n.node.Op == "DequantizeLinear" {
		result.elem, result.exact = Float, h.inputValue(n, 0).exact
		if scale := h.inputValue(n, 1).elem; scale != 0 {
			result.elem = scale
		}
	}
	switch {
	case !typed:
		n.why = whyType
	case elem != Float || exact:
		// whole numbers, or something made of constants alone: nothing of the picture
	default:
		why, err := h.whyKept(n, variance, kept)
		if err != nil {
			return err
		}
		if n.why = why; why == "" {
			n.mode = modeHalf
		}
	}
	result.half = n.mode == modeHalf
	result.kept = n.why != ""
	h.give(n, result)
	return nil
}

// inputTypes is the common type of a node's inputs and whether all of them are known to be of it, whether all are exact,
// and whether all that are not are made by nodes that stay.
func (h *half) inputTypes(n *halfNode) (elem Elem, typed, exact, kept bool) {
	typed, exact, kept = true, true, true
	for k, name := range n.node.Inputs {
		if name == "" || !n.op.takes(k) {
			continue
		}
		v := h.inputValue(n, k)
		if elem == 0 {
			elem = v.elem
		}
		typed = typed && v.elem != 0 && v.elem == elem
		exact = exact && v.exact
		kept = kept && (v.exact || v.kept)
	}
	return elem, typed, exact, kept && !exact
}

// whyKept is the reason why a node on floats stays in float32, empty where there is none.
func (h *half) whyKept(n *halfNode, variance, kept bool) (string, error) {
	switch {
	case n.op.keep != "":
		return n.op.keep, nil
	case variance:
		return whyVariance, nil
	case n.op.since > h.opset:
		return whyKernel, nil
	case n.op.outs == 1 && n.node.Op != "LayerNormalization" && n.node.Op != "MaxPool" && outputs(n.node) > 1:
		return whyOther, nil // statistics of a training, or the mask of a Dropout, whose types differ by operator set
	case n.op.moves && kept:
		return whyFollow, nil
	}
	for k, name := range n.node.Inputs {
		v := h.values[name]
		if v == nil || v.constant == nil || !n.op.takes(k) {
			continue
		}
		if err := v.constant.look(h.m.r, h.opts.Open); err != nil {
			return "", err
		}
		switch {
		case v.constant.large && !n.op.saturates:
			return whyLarge, nil
		case v.constant.small && (k == 0 || k != n.op.bias):
			return whySmall, nil
		}
	}
	return "", nil
}

func outputs(n *Node) int {
	used := 0
	for _, name := range n.Outputs {
		if name != "" {
			used++
		}
	}
	return used
}

// inputValue is what is known of input k.
func (h *half) inputValue(n *halfNode, k int) halfValue {
	if k < len(n.node.Inputs) {
		if v := h.values[n.node.Inputs[k]]; v != nil {
			return *v
		}
	}
	return halfValue{}
}

// give tells what a node's outputs are: v where they have the inputs' type.
func (h *half) give(n *halfNode, v halfValue) {
	for k, name := range n.node.Outputs {
		one := v
		if elem, ok := fixedTypes[n.node.Op]; ok && elem != Float {
			one = halfValue{elem: elem}
		} else if !n.op.gives(k) {
			one = halfValue{}
		}
		h.giveOne(name, one)
	}
}

func (h *half) giveOne(name string, v halfValue) {
	if name == "" || name == h.opts.Input {
		return
	}
	if v.elem == 0 {
		if d := h.index.Declared(name); d != nil {
			v.elem = d.Elem
		}
	}
	h.values[name] = &v
}
