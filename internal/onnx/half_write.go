package onnx

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// halfWriter collects the parts of the new graph and their size.
type halfWriter struct {
	*half
	list []func(*copier)
	size int64
}

func (h *half) write() (*halfWriter, error) {
	w := &halfWriter{half: h}
	g := &h.m.Graph
	for _, v := range g.Inputs {
		w.casts(v.Name)
	}
	for i := range h.nodes {
		w.node(&h.nodes[i])
	}
	for _, t := range g.Inits {
		if err := w.weight(t); err != nil {
			return nil, err
		}
	}
	for _, v := range g.Inputs {
		if h.opts.Input != "" && v.Name == h.opts.Input {
			w.bytes(appendMessage(nil, graphInput, halfInfo(v, v.Name)))
		} else {
			w.field(v.at)
		}
	}
	for _, v := range g.declared {
		w.info(graphInput, v)
	}
	for _, v := range g.Infos {
		if h.opts.Input == "" || v.Name != h.opts.Input {
			w.info(graphValueInfo, v)
		}
	}
	for _, list := range [][]field{fieldsOf(g.Outputs), g.fields} {
		for _, f := range list {
			w.field(f)
		}
	}
	if w.size > maxModel-h.m.size+h.m.graphBytes() || w.size > maxModel {
		return nil, errors.New("the model in float16 would be over 2 GiB, which ONNX does not allow in one file")
	}
	return w, nil
}

func fieldsOf(values []Value) []field {
	var list []field
	for _, v := range values {
		list = append(list, v.at)
	}
	return list
}

func (w *halfWriter) bytes(b []byte) {
	w.size += int64(len(b))
	w.list = append(w.list, func(c *copier) { c.bytes(b) })
}

func (w *halfWriter) span(start, end int64) {
	w.size += end - start
	w.list = append(w.list, func(c *copier) { c.file(start, end) })
}

func (w *halfWriter) field(f field) { w.span(f.tag, f.end) }

// cast writes a Cast of a name that no node has, as ONNX Runtime wants it.
func (w *halfWriter) cast(from, to string, elem Elem) {
	w.castNamed(to+w.nodeSuffix, from, to, elem)
}

func (w *halfWriter) castNamed(name, from, to string, elem Elem) {
	n := appendString(appendString(nil, nodeInput, from), nodeOutput, to)
	if name != "" {
		n = appendString(n, nodeName, name)
	}
	n = appendString(n, nodeOp, "Cast")
	w.bytes(appendMessage(nil, graphNode, appendMessage(n, nodeAttribute, Int("to", int64(elem)).proto())))
}

// casts writes what makes the other type of a value that was just made, where that is needed.
func (w *halfWriter) casts(name string) {
	v := w.values[name]
	switch {
	case v == nil || v.constant != nil:
	case v.half && v.needFull:
		w.cast(w.halfName(name), w.fullName(name), Float)
	case !v.half && v.needHalf:
		w.cast(w.fullName(name), w.halfName(name), Float16)
	}
}

func (w *halfWriter) node(n *halfNode) {
	inputs, outputs := w.renamed(n)
	switch {
	case n.node.Op == "Constant" && w.constantNode(n.node):
		return
	case n.mode == modeCast:
		w.castNamed(n.node.Name, inputs[0], outputs[0], Float16)
	case inputs == nil && outputs == nil:
		w.field(n.node.at)
	default:
		w.rename(n.node, inputs, outputs)
	}
	for _, name := range n.node.Outputs {
		w.casts(name)
	}
}

// renamed are the names that a node's inputs and outputs have now; both nil where none changes.
func (w *halfWriter) renamed(n *halfNode) (inputs, outputs []string) {
	changed := n.mode == modeCast
	for k, name := range n.node.Inputs {
		now := w.fullName(name)
		if w.takesHalf(n, k) {
			now = w.halfName(name)
		}
		changed = changed || now != name
		inputs = append(inputs, now)
	}
	for k, name := range n.node.Outputs {
		now := name
		if (n.mode == modeHalf || n.mode == modeCast) && n.op.gives(k) && name != "" {
			now = w.halfName(name)
		}
		changed = changed || now != name
		outputs = append(outputs, now)
	}
	if !changed {
		return nil, nil
	}
	return inputs, outputs
}

// rename writes a node with other names and everything else as it is.
func (w *halfWriter) rename(n *Node, inputs, outputs []string) {
	part := &halfWriter{half: w.half}
	for _, name := range inputs {
		part.bytes(appendString(nil, nodeInput, name))
	}
	for _, name := range outputs {
		part.bytes(appendString(nil, nodeOutput, name))
	}
	c := w.m.cursorIn(n.at)
	_ = c.each(func(f field) error { // it was parsed before
		if !f.message(nodeInput) && !f.message(nodeOutput) {
			part.field(f)
		}
		return nil
	})
	w.message(graphNode, part)
}

// message writes a message whose fields are in part.
func (w *halfWriter) message(num protowire.Number, part *halfWriter) {
	w.bytes(protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.BytesType), uint64(part.size)))
	w.list = append(w.list, part.list...)
	w.size += part.size
}

// constantNode writes the float16 of a Constant node and tells whether nobody needs the node itself.
func (w *halfWriter) constantNode(n *Node) bool {
	if len(n.Outputs) != 1 {
		return false
	}
	v := w.values[n.Outputs[0]]
	if v == nil || v.constant == nil || !v.constant.node || !v.needHalf {
		return false
	}
	value := &halfWriter{half: w.half}
	value.bytes(appendString(nil, attrName, "value"))
	value.bytes(appendVarint(nil, attrType, attrTypeTensor))
	value.message(attrTensor, w.halfTensor(v.constant, ""))
	node := &halfWriter{half: w.half}
	name := w.halfName(n.Outputs[0])
	node.bytes(appendString(appendString(appendString(nil, nodeOutput, name), nodeName, name+w.nodeSuffix), nodeOp, "Constant"))
	node.message(nodeAttribute, value)
	w.message(graphNode, node)
	return !v.needFull
}

// halfTensor is the TensorProto of a constant in float16.
func (w *halfWriter) halfTensor(c *constant, name string) *halfWriter {
	part := &halfWriter{half: w.half}
	for _, d := range c.tensor.Dims {
		part.bytes(appendVarint(nil, tensorDims, uint64(d)))
	}
	part.bytes(appendVarint(nil, tensorType, uint64(Float16)))
	if name != "" {
		part.bytes(appendString(nil, tensorName, name))
	}
	n := c.tensor.bytes() / 2
	part.bytes(protowire.AppendVarint(protowire.AppendTag(nil, tensorRaw, protowire.BytesType), uint64(n)))
	part.size += n
	part.list = append(part.list, func(out *copier) { out.halves(c) })
	return part
}

// weight writes an initializer in the types that are needed.
func (w *halfWriter) weight(t Tensor) error {
	v := w.values[t.Name]
	if v != nil && v.constant != nil && !v.constant.node && v.needHalf {
		w.message(graphInitializer, w.halfTensor(v.constant, w.halfName(t.Name)))
		if !v.needFull {
			return nil
		}
	}
	if !t.External {
		w.field(t.at)
		return nil
	}
	head, ext, err := w.m.internalise(t)
	if err != nil {
		return err
	}
	w.bytes(head)
	w.size += ext.length
	w.list = append(w.list, func(c *copier) { c.external(ext) })
	return nil
}

// info writes what is declared of a value, in the types that it has.
func (w *halfWriter) info(num protowire.Number, v Value) {
	now := w.values[v.Name]
	if now == nil || now.elem != Float || v.Elem != Float {
		w.field(v.at)
		return
	}
	if now.hasFull() {
		w.field(v.at)
	}
	if now.hasHalf() {
		w.bytes(appendMessage(nil, num, halfInfo(v, w.halfName(v.Name))))
	}
}

// halfInfo is a value's declaration as float16.
func halfInfo(v Value, name string) []byte {
	tensor := appendVarint(nil, tensorElem, uint64(Float16))
	if v.Shape != nil {
		var shape []byte
		for _, d := range v.Shape {
			var dim []byte
			switch {
			case d.Name != "":
				dim = appendString(nil, dimParam, d.Name)
			case d.Size != 0:
				dim = appendVarint(nil, dimValue, uint64(d.Size))
			}
			shape = appendMessage(shape, shapeDim, dim)
		}
		tensor = appendMessage(tensor, tensorShape, shape)
	}
	return appendMessage(appendString(nil, valueName, name), valueType, appendMessage(nil, typeTensor, tensor))
}
