package onnx

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Why a model is not converted.
var (
	// ErrAlreadyHalf: most of the model's weights are float16; it is to be used as it is.
	ErrAlreadyHalf = errors.New("the model is float16 already")
	// ErrQuantised: the model computes in int8, which a conversion to float16 would undo.
	ErrQuantised = errors.New("the model computes in int8; use it as it is, or convert the model that it was made of")
)

// HalfOptions says how a model is converted to float16.
type HalfOptions struct {
	Input string // float32 input that becomes float16; empty: every input keeps its type
	Open  Opener // of the files that hold weights outside of the model; may be nil where there are none
}

// HalfCheck says what a conversion does.
type HalfCheck struct {
	Half int        // nodes that compute in float16
	Kept []HalfKept // nodes on floats that stay in float32, in the order of the graph's first of each
}

// HalfKept are the nodes of one operation that stay in float32 for one reason.
type HalfKept struct {
	Op, Why string
	Count   int
}

// String is a line for a person.
func (c HalfCheck) String() string {
	total := 0
	var parts []string
	for _, k := range c.Kept {
		total += k.Count
		parts = append(parts, fmt.Sprintf("%d %s (%s)", k.Count, k.Op, k.Why))
	}
	if total == 0 {
		return fmt.Sprintf("%d nodes in float16", c.Half)
	}
	return fmt.Sprintf("%d nodes in float16, %d stay in float32: %s", c.Half, total, strings.Join(parts, ", "))
}

// Half writes the model with its inside in float16: weights are rounded to the nearest half, nodes that could lose the
// result stay in float32 with casts around them (CheckHalf lists them), and outputs keep their types. Inputs do too,
// but for the one that the options name. Data outside of the file are taken in. The same model and options give the
// same bytes. Errors wrap ErrAlreadyHalf or ErrQuantised, or say what is in the way.
//
// Memory is that of the model's structure: weights are read twice, once to see whether they fit, and streamed.
func (m *Model) Half(w io.Writer, opts HalfOptions) error {
	h, err := m.planHalf(opts)
	if err != nil {
		return err
	}
	out, err := h.write()
	if err != nil {
		return err
	}
	return m.writeGraph(&copier{w: w, r: m.r, open: opts.Open}, out.size, out.list)
}

// CheckHalf tells what Half would do, or why it can't. It reads the weights once and writes nothing.
func (m *Model) CheckHalf(opts HalfOptions) (HalfCheck, error) {
	h, err := m.planHalf(opts)
	if err != nil {
		return HalfCheck{}, err
	}
	return h.check(), nil
}

// IsHalf tells whether most of the model's weights are float16. The caller uses such a model as it is.
func (m *Model) IsHalf() bool {
	count := map[Elem]int64{}
	for _, t := range m.Graph.Inits {
		count[t.Elem] += t.elements()
	}
	for _, n := range m.Graph.Nodes {
		if n.Op != "Constant" {
			continue
		}
		if c, err := m.constant(n); err == nil {
			count[c.tensor.Elem] += c.tensor.elements()
		}
	}
	return count[Float16] > count[Float]
}

// minOpset is the first operator set whose Cast takes its type as a number and whose arithmetic broadcasts.
const minOpset = 7

func (m *Model) convertible() error {
	opset, ok := m.opsetOf("")
	switch {
	case !ok:
		return errors.New("the model names no version of ONNX's own operators")
	case opset < minOpset:
		return fmt.Errorf("the model is of operator set %d; from %d on it can be converted to float16: export it anew", opset, minOpset)
	case m.IsHalf():
		return ErrAlreadyHalf
	}
	for _, n := range m.Graph.Nodes {
		if n.quantised() {
			return fmt.Errorf("%w (node %q, %s)", ErrQuantised, n.Name, n.Op)
		}
	}
	return nil
}

// opsetOf is the version of a domain's operators; ONNX's own domain has two names.
func (m *Model) opsetOf(domain string) (int64, bool) {
	v, ok := m.Opset[domain]
	if !ok && domain == "" {
		v, ok = m.Opset[ownDomain]
	}
	return v, ok
}

// quantised tells whether a node computes in int8, or makes int8 of floats. DequantizeLinear alone only keeps weights
// small.
func (n *Node) quantised() bool {
	switch n.Op {
	case "QuantizeLinear", "DynamicQuantizeLinear", "QGemm", "QAttention":
		return true
	}
	return strings.HasPrefix(n.Op, "QLinear") || strings.HasPrefix(n.Op, "QOrdered") || strings.HasSuffix(n.Op, "Integer")
}

// check counts what the plan decided.
func (h *half) check() HalfCheck {
	var c HalfCheck
	at := map[HalfKept]int{}
	for i := range h.nodes {
		n := &h.nodes[i]
		if n.mode == modeHalf {
			c.Half++
		}
		if n.why == "" {
			continue
		}
		kind := HalfKept{Op: n.node.Op, Why: n.why}
		j, ok := at[kind]
		if !ok {
			j = len(c.Kept)
			at[kind] = j
			c.Kept = append(c.Kept, kind)
		}
		c.Kept[j].Count++
	}
	return c
}
