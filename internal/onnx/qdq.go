package onnx

import "slices"

// Layer is one operation with weights that can compute in int8.
type Layer struct {
	Name    string // of the node, for people
	Op      string
	Input   string // the value that is quantised before it
	Output  string // the value behind it and its activation; quantised where the operation needs that
	Weights int64  // elements

	node *EditNode
	axis int64 // of the weights, along which each channel has a scale
}

// Range is what the values of a tensor lie in. Values outside of it are cut off.
type Range struct{ Min, Max float32 }

// QDQOptions say how a graph is quantised.
type QDQOptions struct {
	Ranges map[string]Range // of every value that QuantisedValues names
	Float  map[string]bool  // layers that stay in float, by Layer.Name
	Only   string           // the one layer to quantise; "": all
}

// Layers lists the convolutions with constant weights, and the matrix products that the named outputs need, in the graph's
// order. A product that only other outputs need, the classifier behind the features, is not listed: it costs next to
// nothing in float. Simplify must have run.
func (e *Edit) Layers(outputs ...string) []Layer {
	needed := e.ancestors(outputs)
	q := e.newQuantiser()
	var layers []Layer
	names := map[string]bool{}
	for _, n := range e.Nodes {
		axis, ok := e.quantisable(n)
		if !ok || !needed[n] && n.Op != "Conv" {
			continue
		}
		name := n.Name
		if name == "" || names[name] {
			name = n.Outputs[0]
		}
		names[name] = true
		w := e.Weights[n.Inputs[1]]
		layers = append(layers, Layer{
			Name: name, Op: n.Op, Input: n.Inputs[0], Output: q.activated(n.Outputs[0]),
			Weights: int64(len(w.raw)) / 4, node: n, axis: axis,
		})
	}
	return layers
}

// quantisable tells whether a node can compute in int8, and along which axis of its weights the channels are.
func (e *Edit) quantisable(n *EditNode) (axis int64, ok bool) {
	if n.Domain != "" || len(n.Inputs) < 2 || len(n.Outputs) != 1 || !e.floatWeight(n.Inputs[1]) || e.Weights[n.Inputs[0]] != nil {
		return 0, false
	}
	rank := len(e.Weights[n.Inputs[1]].Dims)
	switch n.Op {
	case "Conv":
		return 0, rank >= 3
	case "Gemm":
		plain := n.float("alpha", 1) == 1 && n.float("beta", 1) == 1 && n.int("transA", 0) == 0
		return 1 - n.int("transB", 0), plain && rank == 2
	case "MatMul":
		return 1, rank == 2
	}
	return 0, false
}

// quantiser decides which values are quantised, and writes the nodes for it.
type quantiser struct {
	*Edit
	opts      QDQOptions
	producer  map[string]*EditNode
	consumer  map[string][]*EditNode
	quantised map[string]bool   // values
	same      map[string]string // a value whose scale is that of another; followed to the end by root
}

func (e *Edit) newQuantiser() *quantiser {
	return &quantiser{Edit: e, producer: e.producers(), consumer: e.consumers(), quantised: map[string]bool{}, same: map[string]string{}}
}

// activated is the value behind an activation that providers fuse into the operation that makes value; without one value.
func (q *quantiser) activated(value string) string {
	for range 2 {
		next := q.consumer[value]
		if len(next) != 1 || q.IsOutput(value) || next[0].Domain != "" || next[0].Op != "Relu" && !q.clip(next[0]) {
			return value
		}
		value = next[0].Outputs[0]
	}
	return value
}

// clip tells whether a node is a Clip between constants.
func (q *quantiser) clip(n *EditNode) bool {
	return n.Op == "Clip" && !slices.ContainsFunc(n.Inputs[1:], func(in string) bool { return in != "" && q.Weights[in] == nil })
}

// QuantisedValues are the values that Quantise asks a range of, in the graph's order.
func (e *Edit) QuantisedValues(layers []Layer) []string {
	q := e.newQuantiser()
	q.plan(layers)
	return q.values()
}

func (q *quantiser) values() []string {
	var list []string
	add := func(v string) {
		if q.quantised[v] && q.Weights[v] == nil {
			list = append(list, v)
		}
	}
	for _, v := range q.Inputs {
		add(v.Name)
	}
	for _, n := range q.Nodes {
		for _, out := range n.Outputs {
			add(out)
		}
	}
	return list
}

// plan marks the values: what layers take; what convolutions give; and what lies between those, through additions,
// concatenations and poolings, so that no tensor goes to floats and back. What only operations in float take stays as it is,
// and so do outputs of the graph.
func (q *quantiser) plan(layers []Layer) {
	taken, pooled := map[string]bool{}, map[string]bool{}
	for _, l := range layers {
		if q.opts.Float[l.Name] || q.opts.Only != "" && q.opts.Only != l.Name {
			continue
		}
		taken[l.Input], q.quantised[l.Input] = true, true
		if l.Op == "Conv" && !q.IsOutput(l.Output) {
			q.quantised[l.Output] = true
			pooled[l.Output] = q.averaged(l.Output)
		}
	}
	for _, n := range q.Nodes { // in order: what a node takes was seen before
		if out, ok := q.passes(n); ok && !q.IsOutput(out) {
			q.quantised[out] = true
		}
	}
	for again := true; again; {
		again = false
		for v := range q.quantised {
			if !taken[v] && !pooled[v] && !q.goesOn(v) {
				delete(q.quantised, v)
				again = true
			}
		}
	}
	for _, n := range q.Nodes {
		if out, ok := q.passes(n); ok && q.quantised[out] && n.Op != "Add" {
			for _, in := range n.Inputs[:q.dataInputs(n)] {
				q.join(in, out)
			}
		}
	}
}

// averaged tells whether a value goes into a global average alone. Quantised, it keeps ONNX Runtime's convolution in
// integers, which have quantised outputs only, and the average has finer levels again.
func (q *quantiser) averaged(value string) bool {
	next := q.consumer[value]
	return len(next) == 1 && next[0].Op == "GlobalAveragePool" && next[0].Domain == ""
}

// dataInputs is how many of a node's inputs are data that it could take in integers, 0 for other operations.
func (q *quantiser) dataInputs(n *EditNode) int {
	switch {
	case n.Domain != "" || len(n.Outputs) != 1:
		return 0
	case n.Op == "Add" && len(n.Inputs) == 2, n.Op == "Concat":
		return len(n.Inputs)
	case n.Op == "MaxPool", n.Op == "Flatten", n.Op == "Reshape", n.Op == "Transpose":
		return 1
	}
	return 0
}

// passes tells whether all that a node takes is quantised and it can compute on that; out is what it gives, behind its
// activation.
func (q *quantiser) passes(n *EditNode) (out string, ok bool) {
	count := q.dataInputs(n)
	if count == 0 || slices.ContainsFunc(n.Inputs[:count], func(in string) bool { return !q.quantised[in] }) {
		return "", false
	}
	if n.Op == "Add" {
		return q.activated(n.Outputs[0]), true
	}
	return n.Outputs[0], true
}

// goesOn tells whether a node computes on a value in integers and gives such a value too.
func (q *quantiser) goesOn(value string) bool {
	return slices.ContainsFunc(q.consumer[value], func(n *EditNode) bool {
		out, ok := q.passes(n)
		return ok && q.quantised[out]
	})
}

// root is the value whose scale a value has.
func (q *quantiser) root(v string) string {
	for q.same[v] != "" {
		v = q.same[v]
	}
	return v
}

func (q *quantiser) join(a, b string) {
	if a, b = q.root(a), q.root(b); a != b {
		q.same[a] = b
	}
}
