package onnx

import (
	"errors"
	"io"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Clone is a copy whose nodes and list of weights can be changed without a change of e. The weights' elements are shared:
// they are only ever replaced.
func (e *Edit) Clone() *Edit {
	c := *e
	c.Nodes = make([]*EditNode, len(e.Nodes))
	for i, n := range e.Nodes {
		node := *n
		node.Inputs, node.Outputs, node.attrs = slices.Clone(n.Inputs), slices.Clone(n.Outputs), slices.Clone(n.attrs)
		c.Nodes[i] = &node
	}
	c.Weights, c.ports = maps.Clone(e.Weights), maps.Clone(e.ports)
	c.Inputs, c.Outputs = slices.Clone(e.Inputs), slices.Clone(e.Outputs)
	return &c
}

// AddOutput makes an inner float32 value an output of the graph.
func (e *Edit) AddOutput(value string) {
	if e.IsOutput(value) {
		return
	}
	e.Outputs = append(e.Outputs, Value{Name: value, Elem: Float})
	e.ports[value] = valueInfo(value, Float, nil)
}

// IsOutput tells whether a value is an output of the graph.
func (e *Edit) IsOutput(value string) bool {
	return slices.ContainsFunc(e.Outputs, func(v Value) bool { return v.Name == value })
}

// Prune removes outputs that are not named, and what no named output needs. Without names it keeps all outputs.
func (e *Edit) Prune(outputs ...string) {
	if len(outputs) > 0 {
		e.Outputs = slices.DeleteFunc(slices.Clone(e.Outputs), func(v Value) bool { return !slices.Contains(outputs, v.Name) })
	}
	var wanted []string
	for _, v := range e.Outputs {
		wanted = append(wanted, v.Name)
	}
	needed := e.ancestors(wanted)
	e.Nodes = slices.DeleteFunc(e.Nodes, func(n *EditNode) bool { return !needed[n] })
	used := map[string]bool{}
	for _, v := range e.Outputs {
		used[v.Name] = true
	}
	for _, n := range e.Nodes {
		for _, in := range n.Inputs {
			used[in] = true
		}
	}
	maps.DeleteFunc(e.Weights, func(name string, _ *EditWeight) bool { return !used[name] })
}

// ancestors are the nodes that the values are computed by, near and far.
func (e *Edit) ancestors(values []string) map[*EditNode]bool {
	producer := e.producers()
	found := map[*EditNode]bool{}
	for wanted := slices.Clone(values); len(wanted) > 0; {
		n := producer[wanted[len(wanted)-1]]
		wanted = wanted[:len(wanted)-1]
		if n != nil && !found[n] {
			found[n] = true
			wanted = append(wanted, n.Inputs...)
		}
	}
	return found
}

// producers maps a value to the node that makes it.
func (e *Edit) producers() map[string]*EditNode {
	m := make(map[string]*EditNode, len(e.Nodes))
	for _, n := range e.Nodes {
		for _, out := range n.Outputs {
			if out != "" {
				m[out] = n
			}
		}
	}
	return m
}

// consumers maps a value to the nodes that take it, each once.
func (e *Edit) consumers() map[string][]*EditNode {
	m := map[string][]*EditNode{}
	for _, n := range e.Nodes {
		for i, in := range n.Inputs {
			if in != "" && !slices.Contains(n.Inputs[:i], in) {
				m[in] = append(m[in], n)
			}
		}
	}
	return m
}

// attr is a node's attribute, nil where it has none of this name.
func (n *EditNode) attr(name string) *editAttr {
	for i := range n.attrs {
		if n.attrs[i].Name == name {
			return &n.attrs[i]
		}
	}
	return nil
}

// ints are the numbers of an attribute, or what it is by default.
func (n *EditNode) ints(name string, byDefault ...int64) []int64 {
	if a := n.attr(name); a != nil {
		return a.Ints
	}
	return byDefault
}

func (n *EditNode) int(name string, byDefault int64) int64 {
	if a := n.attr(name); a != nil {
		return a.Int
	}
	return byDefault
}

func (n *EditNode) float(name string, byDefault float32) float32 {
	if a := n.attr(name); a != nil {
		return a.float
	}
	return byDefault
}

// set replaces attributes, or adds them.
func (n *EditNode) set(attrs ...Attr) {
	for _, a := range attrs {
		n.attrs = slices.DeleteFunc(n.attrs, func(old editAttr) bool { return old.Name == a.name })
		n.attrs = append(n.attrs, editAttr{Attribute: Attribute{Name: a.name, Int: a.i, Ints: a.ints}, float: a.f, raw: a.proto()})
	}
}

// node is a new one, named like its output.
func newNode(op, output string, inputs []string, attrs ...Attr) *EditNode {
	n := &EditNode{Name: output, Op: op, Inputs: inputs, Outputs: []string{output}}
	n.set(attrs...)
	return n
}

// Write writes the model, with doc as the text that says what it is. The same graph gives the same bytes.
func (e *Edit) Write(w io.Writer, doc string) error {
	graph := appendString(e.nodesProto(), graphName, e.name)
	names := slices.Sorted(maps.Keys(e.Weights))
	heads := make(map[string][]byte, len(names))
	size := int64(len(graph))
	for _, name := range names {
		heads[name] = e.Weights[name].head(name)
		size += int64(len(heads[name]) + len(e.Weights[name].raw))
	}
	var ports []byte
	for _, v := range e.Inputs {
		ports = appendMessage(ports, graphInput, e.ports[v.Name])
	}
	for _, v := range e.Outputs {
		ports = appendMessage(ports, graphOutput, e.ports[v.Name])
	}
	if size += int64(len(ports)); size > maxModel-1<<20 {
		return errors.New("the model would be over 2 GiB, which ONNX does not allow in one file")
	}
	out := &stickyWriter{w: w}
	head := appendVarint(nil, modelIRVersion, irVersion)
	head = appendString(head, modelProducer, "imgvec")
	head = appendString(head, modelDocString, doc)
	head = protowire.AppendTag(head, modelGraph, protowire.BytesType)
	out.write(protowire.AppendVarint(head, uint64(size)))
	out.write(graph)
	for _, name := range names {
		out.write(heads[name])
		out.write(e.Weights[name].raw)
	}
	out.write(ports)
	out.write(e.opsets())
	return out.err
}

func (e *Edit) nodesProto() []byte {
	var b []byte
	for _, n := range e.Nodes {
		b = appendMessage(b, graphNode, n.proto())
	}
	return b
}

func (n *EditNode) proto() []byte {
	var b []byte
	for _, in := range n.Inputs {
		b = appendString(b, nodeInput, in)
	}
	for _, out := range n.Outputs {
		b = appendString(b, nodeOutput, out)
	}
	b = appendString(appendString(b, nodeName, n.Name), nodeOp, n.Op)
	for _, a := range n.attrs {
		b = appendMessage(b, nodeAttribute, a.raw)
	}
	if n.Domain != "" {
		b = appendString(b, nodeDomain, n.Domain)
	}
	return b
}

// head is the initializer's tag, length and fields up to its elements.
func (w *EditWeight) head(name string) []byte {
	var t []byte
	for _, d := range w.Dims {
		t = appendVarint(t, tensorDims, uint64(d))
	}
	t = appendVarint(t, tensorType, uint64(w.Elem))
	t = appendString(t, tensorName, name)
	t = protowire.AppendTag(t, tensorRaw, protowire.BytesType)
	t = protowire.AppendVarint(t, uint64(len(w.raw)))
	head := protowire.AppendTag(nil, graphInitializer, protowire.BytesType)
	return append(protowire.AppendVarint(head, uint64(len(t)+len(w.raw))), t...)
}

func (e *Edit) opsets() []byte {
	own := appendVarint(appendString(nil, opsetDomain, ""), opsetVersion, uint64(e.opset))
	b := appendMessage(nil, modelOpset, own)
	for _, domain := range slices.Sorted(maps.Keys(e.domains)) {
		other := appendVarint(appendString(nil, opsetDomain, domain), opsetVersion, uint64(e.domains[domain]))
		b = appendMessage(b, modelOpset, other)
	}
	return b
}

// Has tells whether a node has an attribute with this value.
func (n *EditNode) Has(want Attr) bool {
	a := n.attr(want.name)
	return a != nil && a.Int == want.i && slices.Equal(a.Ints, want.ints) && a.float == want.f
}
