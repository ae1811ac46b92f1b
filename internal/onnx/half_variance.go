package onnx

// findVariances finds the variances that exporters write as operations of their own, as in a layer normalisation:
//
//	x - mean(x) -> square -> mean -> + epsilon -> root -> divide
//
// The squares of values over 256 are no halves any more, and a usual epsilon is no exact one, so all of it stays in
// float32, from the first mean to the division. ONNX Runtime fuses that, casts included, to one normalisation.
func (h *half) findVariances() {
	for i := range h.m.Graph.Nodes {
		n := &h.m.Graph.Nodes[i]
		if (n.Op != "Sqrt" && n.Op != "Pow") || len(n.Inputs) == 0 || len(n.Outputs) == 0 {
			continue
		}
		path, squared := h.walkVariance(n.Inputs[0])
		if path == nil {
			continue
		}
		for _, j := range path {
			h.variance[j] = true
		}
		h.markDeviation(squared)
		h.markDivision(n.Outputs[0])
	}
}

// walkVariance walks back from a root to the square under a mean, and gives the nodes between and what is squared.
func (h *half) walkVariance(value string) (path []int, squared string) {
	reduced := false
	for range maxWalk {
		i, ok := h.index.producer[value]
		if !ok {
			return nil, ""
		}
		n := &h.m.Graph.Nodes[i]
		if len(n.Inputs) == 0 {
			return nil, ""
		}
		path = append(path, i)
		switch {
		case n.Op == "ReduceMean", n.Op == "ReduceSum", n.Op == "GlobalAveragePool":
			reduced, value = true, n.Inputs[0]
		case n.Op == "Pow", n.Op == "Mul" && len(n.Inputs) == 2 && n.Inputs[0] == n.Inputs[1]:
			if !reduced {
				return nil, ""
			}
			return path, n.Inputs[0]
		case n.Op == "Add", n.Op == "Mul", n.Op == "Div", n.Op == "Max", n.Op == "Clip":
			if value = h.computed(n); value == "" {
				return nil, ""
			}
		default:
			return nil, ""
		}
	}
	return nil, ""
}

// computed is the only input of a node that another node computes.
func (h *half) computed(n *Node) string {
	found := ""
	if len(n.Inputs) > 3 {
		return ""
	}
	for _, in := range n.Inputs {
		p := h.index.Producer(in)
		if p == nil || p.Op == "Constant" {
			continue
		}
		if found != "" {
			return ""
		}
		found = in
	}
	return found
}

// markDeviation marks the subtraction of the mean, the mean, and a second subtraction of it, as older exporters write.
func (h *half) markDeviation(value string) {
	i, ok := h.index.producer[value]
	if !ok || h.m.Graph.Nodes[i].Op != "Sub" {
		return
	}
	h.variance[i] = true
	for _, in := range h.m.Graph.Nodes[i].Inputs {
		j, ok := h.index.producer[in]
		if !ok || h.m.Graph.Nodes[j].Op != "ReduceMean" && h.m.Graph.Nodes[j].Op != "GlobalAveragePool" {
			continue
		}
		h.variance[j] = true
		h.mark(in, "Sub")
	}
}

// markDivision marks what divides by a root.
func (h *half) markDivision(root string) {
	h.mark(root, "Div", "Mul")
	for _, i := range h.mark(root, "Reciprocal") {
		if outs := h.m.Graph.Nodes[i].Outputs; len(outs) > 0 {
			h.mark(outs[0], "Mul")
		}
	}
}

// mark marks the consumers of a value that are one of ops. Once: a hostile graph could have it done very often.
func (h *half) mark(value string, ops ...string) (marked []int) {
	key := ops[0] + " " + value
	if h.marked[key] {
		return nil
	}
	h.marked[key] = true
	for _, i := range h.consumers[value] {
		for _, op := range ops {
			if h.m.Graph.Nodes[i].Op == op {
				h.variance[i] = true
				marked = append(marked, i)
			}
		}
	}
	return marked
}
