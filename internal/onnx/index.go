package onnx

import "strings"

// Index finds a graph's values by name.
type Index struct {
	g        *Graph
	producer map[string]int // value -> node
	weight   map[string]*Tensor
	declared map[string]*Value
}

// Index makes an index of the graph, which must not change after.
func (g *Graph) Index() *Index {
	x := &Index{g: g, producer: map[string]int{}, weight: map[string]*Tensor{}, declared: map[string]*Value{}}
	for i, n := range g.Nodes {
		for _, out := range n.Outputs {
			if _, twice := x.producer[out]; out != "" && !twice {
				x.producer[out] = i
			}
		}
	}
	for i := range g.Inits {
		x.weight[g.Inits[i].Name] = &g.Inits[i]
	}
	for _, list := range [][]Value{g.Infos, g.Inputs, g.Outputs} {
		for i := range list {
			x.declared[list[i].Name] = &list[i]
		}
	}
	return x
}

// Producer is the node that makes a value, nil for an input, a weight, or an unknown name.
func (x *Index) Producer(value string) *Node {
	if i, ok := x.producer[value]; ok {
		return &x.g.Nodes[i]
	}
	return nil
}

// Consumers are the nodes that take a value.
func (x *Index) Consumers(value string) []*Node {
	var nodes []*Node
	for i := range x.g.Nodes {
		for _, in := range x.g.Nodes[i].Inputs {
			if in == value {
				nodes = append(nodes, &x.g.Nodes[i])
				break
			}
		}
	}
	return nodes
}

// Declared is what the file says of a value's type and shape, nil where it says nothing.
func (x *Index) Declared(value string) *Value { return x.declared[value] }

// Dims is the shape of a constant: an initializer, or one behind dequantisation, a cast or a transposition.
func (x *Index) Dims(value string) ([]int64, bool) {
	transposed := false
	for range 8 {
		if t := x.weight[value]; t != nil {
			if transposed && len(t.Dims) == 2 {
				return []int64{t.Dims[1], t.Dims[0]}, true
			}
			return t.Dims, !transposed
		}
		n := x.Producer(value)
		if n == nil || len(n.Inputs) == 0 {
			return nil, false
		}
		switch n.Op {
		case "DequantizeLinear", "Cast", "Identity", "QuantizeLinear":
		case "Transpose":
			transposed = !transposed
		default:
			return nil, false
		}
		value = n.Inputs[0]
	}
	return nil, false
}

// IntAttr is a node's integer attribute, or the value that it has by default.
func (n *Node) IntAttr(name string, byDefault int64) int64 {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a.Int
		}
	}
	return byDefault
}

// String shows a shape as people write it: [N,3,224,224].
func (v *Value) String() string {
	if v.Shape == nil {
		return v.Elem.String() + " of unknown shape"
	}
	parts := make([]string, len(v.Shape))
	for i, d := range v.Shape {
		parts[i] = d.String()
	}
	return v.Elem.String() + " [" + strings.Join(parts, ",") + "]"
}
