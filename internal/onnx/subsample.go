package onnx

import (
	"fmt"
	"slices"
)

// subsample takes the strides out of 1x1 convolutions: a max pooling of 1x1 picks the pixels before. OpenVINO does the same by
// itself, but behind the dequantisation, and the convolution then computes in floats (seen with 2026.4.1). Where nobody
// else needs the other pixels they are not computed in the first place: the pooling moves up, through activations and
// additions, into the strides of the convolution that made them. Networks of the first ResNet's layout get a tenth faster so.
func (e *Edit) subsample() error {
	s := &subsampler{Edit: e, pools: map[string]*EditNode{}}
	for _, n := range slices.Clone(e.Nodes) {
		s.take(n)
	}
	for s.moveUp() {
	}
	return s.sort()
}

type subsampler struct {
	*Edit
	pools map[string]*EditNode // the poolings that were put in, by what they give
}

// take makes a pooling of the strides of a 1x1 convolution.
func (s *subsampler) take(n *EditNode) {
	strides := n.ints("strides")
	if !s.pointwise(n) || !slices.ContainsFunc(strides, func(k int64) bool { return k > 1 }) {
		return
	}
	n.Inputs[0] = s.pool(n.Inputs[0], strides)
	n.set(Ints("strides", 1, 1))
}

// pointwise tells whether a node is a 1x1 convolution without padding.
func (s *subsampler) pointwise(n *EditNode) bool {
	if n.Op != "Conv" || n.Domain != "" || len(n.Inputs) < 2 || s.Weights[n.Inputs[1]] == nil {
		return false
	}
	dims := s.Weights[n.Inputs[1]].Dims
	padded := slices.ContainsFunc(n.ints("pads"), func(p int64) bool { return p != 0 })
	return len(dims) == 4 && dims[2] == 1 && dims[3] == 1 && !padded && n.attr("auto_pad") == nil
}

// pool is every stride-th pixel of a value.
func (s *subsampler) pool(value string, strides []int64) string {
	name := fmt.Sprintf("%s.every%dx%d", value, strides[0], strides[1])
	if s.pools[name] == nil {
		s.pools[name] = newNode("MaxPool", name, []string{value}, Ints("kernel_shape", 1, 1), Ints("strides", strides...))
		s.Nodes = append(s.Nodes, s.pools[name])
	}
	return name
}

// moveUp moves one pooling over the node before it, where nobody else takes what that gives.
func (s *subsampler) moveUp() bool {
	producer, consumers := s.producers(), s.consumers()
	for _, pool := range s.Nodes {
		if s.pools[pool.Outputs[0]] != pool {
			continue
		}
		value, strides := pool.Inputs[0], pool.ints("strides")
		before := producer[value]
		if before == nil || before.Domain != "" || len(before.Outputs) != 1 || len(consumers[value]) != 1 || s.IsOutput(value) {
			continue
		}
		switch {
		case before.Op == "Relu", before.Op == "Clip":
			before.Inputs[0] = s.pool(before.Inputs[0], strides)
		case before.Op == "Add" && producer[before.Inputs[0]] != nil && producer[before.Inputs[1]] != nil:
			before.Inputs[0], before.Inputs[1] = s.pool(before.Inputs[0], strides), s.pool(before.Inputs[1], strides)
		case before.Op == "Conv" && before.attr("auto_pad") == nil:
			old := before.ints("strides", 1, 1)
			if len(old) != 2 {
				continue
			}
			before.set(Ints("strides", old[0]*strides[0], old[1]*strides[1]))
			s.take(before)
		default:
			continue
		}
		before.Outputs[0] = pool.Outputs[0]
		delete(s.pools, pool.Outputs[0])
		s.Nodes = slices.DeleteFunc(s.Nodes, func(n *EditNode) bool { return n == pool })
		return true
	}
	return false
}

// sort puts each node behind those that make what it takes, and else keeps the order.
func (e *Edit) sort() error {
	producer := e.producers()
	state := map[*EditNode]int{} // 1: under way, 2: placed
	placed := make([]*EditNode, 0, len(e.Nodes))
	var place func(n *EditNode) error
	place = func(n *EditNode) error {
		switch state[n] {
		case 1:
			return fmt.Errorf("%w: node %q takes what it makes", errFormat, n.Name)
		case 2:
			return nil
		}
		state[n] = 1
		for _, in := range n.Inputs {
			if before := producer[in]; before != nil {
				if err := place(before); err != nil {
					return err
				}
			}
		}
		state[n] = 2
		placed = append(placed, n)
		return nil
	}
	for _, n := range e.Nodes {
		if err := place(n); err != nil {
			return err
		}
	}
	e.Nodes = placed
	return nil
}
