package onnx

import (
	"fmt"
	"io"
)

// Model is the structure of an ONNX file: everything but the weights.
type Model struct {
	IR       int64
	Producer string
	Opset    map[string]int64 // by domain; "" is ONNX's own
	Graph    Graph

	r         io.ReaderAt
	size      int64
	fields    []field // of the model, in the file's order
	functions int
}

// Graph is the main graph.
type Graph struct {
	Nodes   []Node
	Inits   []Tensor
	Inputs  []Value // without those that only declare an initializer
	Outputs []Value
	Infos   []Value // declared inner values

	declared []Value // inputs that only declare an initializer, which files before IR 4 must do
	fields   []field // the graph's other fields: name, doc string, ...
}

// Node is one operation.
type Node struct {
	Name, Op, Domain string
	Inputs, Outputs  []string
	Attrs            []Attribute
	at               field
}

// Attribute is one attribute of a node, as far as the project reads it.
type Attribute struct {
	Name string
	Int  int64
	Ints []int64
}

// Tensor is an initializer without its data.
type Tensor struct {
	Name     string
	Dims     []int64
	Elem     Elem
	External bool // its data lie in another file
	at       field
}

// Value is a declared input, output or inner value.
type Value struct {
	Name  string
	Elem  Elem
	Shape []Dim // nil where no shape is declared
	at    field
}

// Bounds of what is kept of a file. The largest models of the zoo have some 20,000 nodes.
const (
	maxItems = 200_000 // nodes, initializers, values: each
	maxList  = 65_536  // inputs of a node, numbers of an attribute
	maxDims  = 64
)

// Parse reads the structure of the ONNX file of size bytes behind r. r must stay readable as long as the Model is cut.
func Parse(r io.ReaderAt, size int64) (*Model, error) {
	m := &Model{Opset: map[string]int64{}, r: r, size: size}
	c := newCursor(r, size)
	graphs := 0
	err := c.each(func(f field) error {
		m.fields = append(m.fields, f)
		if len(m.fields) > maxItems {
			return fmt.Errorf("%w: too many fields", errFormat)
		}
		switch {
		case f.num == modelIRVersion:
			m.IR = int64(f.value)
		case f.message(modelProducer):
			var err error
			m.Producer, err = c.text(f)
			return err
		case f.message(modelOpset):
			return m.opset(c.in(f))
		case f.message(modelFunctions):
			m.functions++
		case f.message(modelGraph):
			graphs++
			return m.Graph.parse(c.in(f))
		}
		return nil
	})
	switch {
	case (err != nil || graphs != 1) && foreign(r, size) != "":
		return nil, fmt.Errorf("%w: it is %s", errFormat, foreign(r, size))
	case err != nil:
		return nil, err
	case graphs != 1:
		return nil, fmt.Errorf("%w: it holds %d graphs", errFormat, graphs)
	case len(m.Opset) == 0:
		return nil, fmt.Errorf("%w: it names no operator set", errFormat)
	case len(m.Graph.Nodes) == 0:
		return nil, fmt.Errorf("%w: its graph is empty", errFormat)
	}
	m.Graph.dropDeclaredWeights()
	return m, nil
}

func (m *Model) opset(c *cursor) error {
	domain, version := "", int64(0)
	err := c.each(func(f field) (err error) {
		switch {
		case f.message(opsetDomain):
			domain, err = c.text(f)
		case f.num == opsetVersion:
			version = int64(f.value)
		}
		return err
	})
	if len(m.Opset) < 1000 {
		m.Opset[domain] = version
	}
	return err
}

func (g *Graph) parse(c *cursor) error {
	return c.each(func(f field) (err error) {
		if len(g.Nodes)+len(g.Inits)+len(g.Infos)+len(g.Inputs)+len(g.Outputs)+len(g.fields) > 4*maxItems {
			return fmt.Errorf("%w: too many fields", errFormat)
		}
		switch {
		case f.message(graphNode):
			g.Nodes, err = appendParsed(g.Nodes, c, f, parseNode)
		case f.message(graphInitializer):
			g.Inits, err = appendParsed(g.Inits, c, f, parseTensor)
		case f.message(graphInput):
			g.Inputs, err = appendParsed(g.Inputs, c, f, parseValue)
		case f.message(graphOutput):
			g.Outputs, err = appendParsed(g.Outputs, c, f, parseValue)
		case f.message(graphValueInfo):
			g.Infos, err = appendParsed(g.Infos, c, f, parseValue)
		default:
			g.fields = append(g.fields, f)
		}
		return err
	})
}

func appendParsed[T any](list []T, c *cursor, f field, parse func(*cursor, field) (T, error)) ([]T, error) {
	if len(list) >= maxItems {
		return nil, fmt.Errorf("%w: too many nodes or values", errFormat)
	}
	item, err := parse(c.in(f), f)
	return append(list, item), err
}

// dropDeclaredWeights sets the inputs apart that old files declare for each initializer.
func (g *Graph) dropDeclaredWeights() {
	weights := make(map[string]bool, len(g.Inits))
	for _, t := range g.Inits {
		weights[t.Name] = true
	}
	kept := g.Inputs[:0:0]
	for _, v := range g.Inputs {
		if weights[v.Name] {
			g.declared = append(g.declared, v)
		} else {
			kept = append(kept, v)
		}
	}
	g.Inputs = kept
}

func parseNode(c *cursor, at field) (Node, error) {
	n := Node{at: at}
	err := c.each(func(f field) (err error) {
		switch {
		case f.message(nodeInput):
			n.Inputs, err = appendText(n.Inputs, c, f)
		case f.message(nodeOutput):
			n.Outputs, err = appendText(n.Outputs, c, f)
		case f.message(nodeName):
			n.Name, err = c.text(f)
		case f.message(nodeOp):
			n.Op, err = c.text(f)
		case f.message(nodeDomain):
			n.Domain, err = c.text(f)
		case f.message(nodeAttribute):
			n.Attrs, err = appendAttribute(n.Attrs, c.in(f))
		}
		return err
	})
	return n, err
}

func appendText(list []string, c *cursor, f field) ([]string, error) {
	if len(list) >= maxList {
		return nil, fmt.Errorf("%w: too many names in a node", errFormat)
	}
	s, err := c.text(f)
	return append(list, s), err
}

func appendAttribute(list []Attribute, c *cursor) ([]Attribute, error) {
	var a Attribute
	err := c.each(func(f field) (err error) {
		switch {
		case f.message(attrName):
			a.Name, err = c.text(f)
		case f.num == attrI:
			a.Int = int64(f.value)
		case f.num == attrInts:
			a.Ints, err = c.ints(f, a.Ints, maxList)
		case f.num == attrGraph || f.num == attrGraphs:
			return nil // the body of an If or a Loop is not looked into
		}
		return err
	})
	if len(list) >= maxList {
		return nil, fmt.Errorf("%w: too many attributes", errFormat)
	}
	return append(list, a), err
}

func parseTensor(c *cursor, at field) (Tensor, error) {
	t := Tensor{at: at}
	err := c.each(func(f field) (err error) {
		switch {
		case f.num == tensorDims:
			t.Dims, err = c.ints(f, t.Dims, maxDims)
		case f.num == tensorType:
			t.Elem = Elem(int32(f.value))
		case f.message(tensorName):
			t.Name, err = c.text(f)
		case f.num == tensorExternal, f.num == tensorDataLocation && f.value == 1:
			t.External = true
		}
		return err
	})
	return t, err
}

func parseValue(c *cursor, at field) (Value, error) {
	v := Value{at: at}
	err := c.each(func(f field) (err error) {
		switch {
		case f.message(valueName):
			v.Name, err = c.text(f)
		case f.message(valueType):
			err = v.parseType(c.in(f))
		}
		return err
	})
	return v, err
}

func (v *Value) parseType(c *cursor) error {
	return c.each(func(f field) error {
		if !f.message(typeTensor) {
			return nil
		}
		t := c.in(f)
		return t.each(func(f field) error {
			switch {
			case f.num == tensorElem:
				v.Elem = Elem(int32(f.value))
			case f.message(tensorShape):
				return v.parseShape(t.in(f))
			}
			return nil
		})
	})
}

func (v *Value) parseShape(c *cursor) error {
	v.Shape = []Dim{}
	return c.each(func(f field) error {
		if !f.message(shapeDim) || len(v.Shape) >= maxDims {
			return nil
		}
		var d Dim
		in := c.in(f)
		err := in.each(func(f field) (err error) {
			switch {
			case f.num == dimValue:
				d.Size = int64(f.value)
			case f.message(dimParam):
				d.Name, err = in.text(f)
			}
			return err
		})
		v.Shape = append(v.Shape, d)
		return err
	})
}
