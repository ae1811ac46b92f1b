package onnx

import (
	"fmt"
	"strings"
)

// half is a conversion: every value's type, and what every node computes in.
//
// A value keeps its name where it has its old type and gets a new one as float16, so that whatever stays in float32,
// bodies of control flow included, is copied as it is. Only the input that becomes float16 keeps its name for that.
type half struct {
	m     *Model
	opts  HalfOptions
	opset int64
	index *Index

	values    map[string]*halfValue
	nodes     []halfNode
	consumers map[string][]int
	variance  map[int]bool    // nodes that are part of one
	marked    map[string]bool // what mark has done
	captured  map[string]bool // names in bodies

	halfSuffix, fullSuffix string // of values
	nodeSuffix             string // of nodes
}

// halfValue is one value of the graph.
type halfValue struct {
	elem     Elem // 0: not known
	half     bool // it is made in float16
	exact    bool // it depends on constants and whole numbers only, so it stays in float32
	kept     bool // a node that stays in float32 made it of others that don't
	constant *constant

	needHalf, needFull bool
}

// halfMode is how a node takes its inputs.
type halfMode int

const (
	modeFull halfMode = iota // as they were
	modeHalf                 // in float16
	modeAny                  // as they are made
	modeCast                 // as they are made; a Cast to float32 that becomes one to float16
)

type halfNode struct {
	node *Node
	op   halfOp
	mode halfMode
	why  string // it stays in float32
}

func (m *Model) planHalf(opts HalfOptions) (*half, error) {
	if err := m.convertible(); err != nil {
		return nil, err
	}
	h := &half{
		m: m, opts: opts, index: m.Graph.Index(), values: map[string]*halfValue{}, nodes: make([]halfNode, len(m.Graph.Nodes)),
		consumers: map[string][]int{}, variance: map[int]bool{}, marked: map[string]bool{}, captured: map[string]bool{},
	}
	h.opset, _ = m.opsetOf("")
	if err := h.declare(); err != nil {
		return nil, err
	}
	h.findVariances()
	for i := range h.nodes {
		h.nodes[i].node = &m.Graph.Nodes[i]
		if err := h.visit(&h.nodes[i], h.variance[i]); err != nil {
			return nil, err
		}
	}
	if err := h.need(); err != nil {
		return nil, err
	}
	if check := h.check(); check.Half == 0 {
		return nil, fmt.Errorf("no node of the model could compute in float16: %s", check)
	}
	h.nameForms()
	return h, nil
}

// declare takes in the graph's inputs and weights.
func (h *half) declare() error {
	g := &h.m.Graph
	for i, n := range g.Nodes {
		for _, in := range n.Inputs {
			if list := h.consumers[in]; len(list) == 0 || list[len(list)-1] != i {
				h.consumers[in] = append(list, i)
			}
		}
	}
	for _, v := range g.Inputs {
		h.values[v.Name] = &halfValue{elem: v.Elem}
	}
	for _, t := range g.Inits {
		v := &halfValue{elem: t.Elem, exact: true}
		if t.Elem == Float {
			v.constant = &constant{tensor: t, where: fmt.Sprintf("tensor %q", t.Name)}
		}
		h.values[t.Name] = v
	}
	if h.opts.Input == "" {
		return nil
	}
	in := h.values[h.opts.Input]
	switch {
	case in == nil || in.exact:
		return fmt.Errorf("the model has no input %q", h.opts.Input)
	case in.elem != Float:
		return fmt.Errorf("input %q is %s, only float32 becomes float16", h.opts.Input, in.elem)
	}
	in.half = true
	return nil
}

// need marks in which types every value is used.
func (h *half) need() error {
	for i := range h.nodes {
		n := &h.nodes[i]
		for k, name := range n.node.Inputs {
			if v := h.values[name]; v == nil {
				continue
			} else if h.takesHalf(n, k) {
				v.needHalf = true
			} else {
				v.needFull = true
			}
		}
	}
	for _, out := range h.m.Graph.Outputs {
		if v := h.values[out.Name]; v != nil {
			v.needFull = true
		}
		if h.opts.Input != "" && out.Name == h.opts.Input {
			return fmt.Errorf("input %q is an output too, so it can't become float16", out.Name)
		}
	}
	for name := range h.captured {
		if v := h.values[name]; v != nil {
			v.needFull = true
		}
	}
	if h.opts.Input != "" && h.captured[h.opts.Input] {
		return fmt.Errorf("input %q is used in a control flow's body, so it can't become float16", h.opts.Input)
	}
	return nil
}

// takesHalf tells whether a node takes input k in float16.
func (h *half) takesHalf(n *halfNode, k int) bool {
	v := h.values[n.node.Inputs[k]]
	if v == nil || v.elem != Float {
		return false
	}
	switch n.mode {
	case modeHalf:
		return n.op.takes(k)
	case modeAny, modeCast:
		return v.half
	}
	return false
}

// hasFull and hasHalf tell in which types a value will be there.
func (v *halfValue) hasFull() bool {
	if v.constant != nil {
		return v.needFull || !v.needHalf
	}
	return !v.half || v.needFull
}

func (v *halfValue) hasHalf() bool { return v.half || v.needHalf }

// nameForms finds endings that no name of the file has.
func (h *half) nameForms() {
	g := &h.m.Graph
	f16, f32, cast := newSuffix("_f16"), newSuffix("_f32"), newSuffix("_cast")
	see := func(name string) { f16.see(name); f32.see(name) }
	for name := range h.captured {
		see(name)
	}
	for i := range g.Nodes {
		cast.see(g.Nodes[i].Name)
		for _, list := range [][]string{g.Nodes[i].Inputs, g.Nodes[i].Outputs} {
			for _, name := range list {
				see(name)
			}
		}
	}
	for i := range g.Inits {
		see(g.Inits[i].Name)
	}
	for _, list := range [][]Value{g.Inputs, g.Outputs, g.Infos} {
		for i := range list {
			see(list[i].Name)
		}
	}
	h.halfSuffix, h.fullSuffix, h.nodeSuffix = f16.String(), f32.String(), cast.String()
}

// freeSuffix is base, with a number where a name of the file ends so.
type freeSuffix struct {
	base  string
	taken map[string]bool
}

func newSuffix(base string) *freeSuffix { return &freeSuffix{base: base, taken: map[string]bool{}} }

func (s *freeSuffix) see(name string) {
	if at := strings.LastIndex(name, s.base); at >= 0 && len(name)-at-len(s.base) < 10 {
		s.taken[name[at:]] = true
	}
}

func (s *freeSuffix) String() string {
	suffix := s.base
	for n := 2; s.taken[suffix]; n++ {
		suffix = fmt.Sprintf("%s_%d", s.base, n)
	}
	return suffix
}

// halfName is a value's name as float16, fullName the one in its old type.
func (h *half) halfName(name string) string {
	if name == h.opts.Input {
		return name
	}
	return name + h.halfSuffix
}

func (h *half) fullName(name string) string {
	if name == h.opts.Input && name != "" {
		return name + h.fullSuffix
	}
	return name
}
