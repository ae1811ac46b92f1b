package onnx

import (
	"errors"
	"fmt"
)

// attributeFields are the fields of one attribute.
type attributeFields struct {
	name   string
	fields []field
}

// maxAttributeFields bounds what is kept of one attribute; the lists that exporters write are packed.
const maxAttributeFields = maxList

func (m *Model) cursorIn(f field) *cursor {
	return &cursor{r: m.r, pos: f.start, end: f.end, w: &window{}}
}

// eachAttribute walks a node's attributes as they are in the file.
func (m *Model) eachAttribute(n Node, do func(a attributeFields) error) error {
	c := m.cursorIn(n.at)
	return c.each(func(f field) error {
		if !f.message(nodeAttribute) {
			return nil
		}
		var a attributeFields
		in := c.in(f)
		err := in.each(func(f field) (err error) {
			if f.message(attrName) {
				a.name, err = in.text(f)
				return err
			}
			if len(a.fields) >= maxAttributeFields {
				return fmt.Errorf("%w: too many fields in an attribute", errFormat)
			}
			a.fields = append(a.fields, f)
			return nil
		})
		if err != nil {
			return err
		}
		return do(a)
	})
}

// bodies is what the graphs within a node take from outside and give.
type bodies struct {
	names   []string // every name in them: a body sees the values of the graph around it
	results []Elem   // of the first body's outputs
}

const (
	maxBodyDepth = 16
	maxBodyNames = 4 * maxItems
)

// bodies reads the graphs in a node's attributes, and those within them.
func (m *Model) bodies(n Node) (*bodies, error) {
	b := &bodies{}
	return b, m.readBodies(n, b, 0)
}

func (m *Model) readBodies(n Node, b *bodies, depth int) error {
	if depth > maxBodyDepth {
		return errors.New("its control flow is nested too deep")
	}
	return m.eachAttribute(n, func(a attributeFields) error {
		for _, f := range a.fields {
			if !f.message(attrGraph) && !f.message(attrGraphs) {
				continue
			}
			if err := m.readBody(f, b, depth); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *Model) readBody(f field, b *bodies, depth int) error {
	var g Graph
	if err := g.parse(m.cursorIn(f)); err != nil {
		return err
	}
	for _, t := range g.Inits {
		if t.External {
			return fmt.Errorf("weights %q of a control flow's body lie outside of the model, which is not supported", t.Name)
		}
		b.names = append(b.names, t.Name)
	}
	for _, list := range [][]Value{g.Inputs, g.Outputs} {
		for _, v := range list {
			b.names = append(b.names, v.Name)
		}
	}
	if b.results == nil && depth == 0 {
		b.results = []Elem{}
		for _, v := range g.Outputs {
			b.results = append(b.results, v.Elem)
		}
	}
	for _, n := range g.Nodes {
		b.names = append(append(b.names, n.Inputs...), n.Outputs...)
		if len(b.names) > maxBodyNames {
			return fmt.Errorf("%w: too many values in control flow", errFormat)
		}
		if n.quantised() {
			return fmt.Errorf("%w (node %q, %s)", ErrQuantised, n.Name, n.Op)
		}
		if err := m.readBodies(n, b, depth+1); err != nil {
			return err
		}
	}
	return nil
}
