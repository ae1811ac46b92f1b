package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// CutFeature is the name of the only output of a cut model.
const CutFeature = "imgvec_features"

// maxModel is protobuf's limit on one file.
const maxModel = math.MaxInt32

// Opener opens a file that holds a tensor's data outside of the model; name is as the model gives it.
type Opener func(name string) (io.ReadSeekCloser, error)

// Cut writes the part of the model that computes f, with one output CutFeature, float32 [N, Dim]. Nodes and weights
// that f does not need are left out, data outside of the file are taken in. input is the one input that may be left.
func (m *Model) Cut(w io.Writer, f Feature, input string, open Opener) error {
	p := m.plan(f)
	if err := m.checkInputs(p, input); err != nil {
		return err
	}
	tail := m.tail(f)
	segments, size, err := m.segments(p, tail, input)
	if err != nil {
		return err
	}
	return m.writeGraph(&copier{w: w, r: m.r, open: open}, size, segments)
}

// writeGraph writes the model with another graph, of size bytes in segments.
func (m *Model) writeGraph(out *copier, size int64, segments []func(*copier)) error {
	head, rest := m.outside()
	for _, f := range head {
		out.file(f.tag, f.end)
	}
	tag := protowire.AppendTag(nil, modelGraph, protowire.BytesType)
	out.bytes(protowire.AppendVarint(tag, uint64(size)))
	for _, s := range segments {
		s(out)
	}
	for _, f := range rest {
		out.file(f.tag, f.end)
	}
	return out.err
}

// outside are the model's fields before and behind the graph.
func (m *Model) outside() (head, rest []field) {
	for i, f := range m.fields {
		if f.message(modelGraph) {
			return m.fields[:i], m.fields[i+1:]
		}
	}
	return m.fields, nil
}

// plan is what a cut keeps.
type plan struct {
	nodes  []bool
	values map[string]bool // every value that a kept node takes or makes
	all    bool            // control flow: a body may use any value, so everything stays
}

var controlFlow = map[string]bool{"If": true, "Loop": true, "Scan": true, "SequenceMap": true}

// plan walks back from the feature.
func (m *Model) plan(f Feature) plan {
	g := &m.Graph
	p := plan{nodes: make([]bool, len(g.Nodes)), values: map[string]bool{}}
	producer := g.Index().producer
	wanted := append([]string{f.Value}, f.quantised...)
	for len(wanted) > 0 {
		value := wanted[len(wanted)-1]
		wanted = wanted[:len(wanted)-1]
		if p.values[value] {
			continue
		}
		p.values[value] = true
		i, ok := producer[value]
		if !ok || p.nodes[i] {
			continue
		}
		p.nodes[i] = true
		p.all = p.all || controlFlow[g.Nodes[i].Op]
		wanted = append(wanted, g.Nodes[i].Inputs...)
	}
	if p.all {
		for i := range p.nodes {
			p.nodes[i] = true
			for _, in := range g.Nodes[i].Inputs {
				p.values[in] = true
			}
		}
	}
	return p
}

func (p plan) keeps(value string) bool { return p.all || p.values[value] }

// checkInputs refuses a model that needs more than a picture for its features.
func (m *Model) checkInputs(p plan, input string) error {
	var others []string
	for _, v := range m.Graph.Inputs {
		if v.Name != input && p.keeps(v.Name) {
			others = append(others, fmt.Sprintf("%q %s", v.Name, v.String()))
		}
	}
	if len(others) > 0 {
		return fmt.Errorf("the features need more than a picture: %s; export the image part alone", strings.Join(others, ", "))
	}
	if !p.keeps(input) {
		return fmt.Errorf("the features do not depend on the image input %q", input)
	}
	return nil
}

// tail is the nodes, and weights, that turn the feature's value into CutFeature.
func (m *Model) tail(f Feature) []byte {
	var t []byte
	value := f.Value
	step := func(op string, inputs []string, attrs ...Attr) {
		out := fmt.Sprintf("%s.%d", CutFeature, len(t))
		t = appendMessage(t, graphNode, nodeProto(op, out, inputs, attrs))
		value = out
	}
	if f.quantised != nil {
		step("DequantizeLinear", append([]string{value}, f.quantised...))
	}
	switch {
	case f.Pool == PoolCLS:
		index := CutFeature + ".index"
		zero := appendVarint(nil, tensorType, uint64(Int64))
		zero = appendString(appendVarint(zero, tensorInt64Data, 0), tensorName, index)
		t = appendMessage(t, graphInitializer, zero)
		step("Gather", []string{value, index}, Int("axis", 1))
	case f.Pool == PoolMean && f.Rank == 3:
		step("Transpose", []string{value}, Ints("perm", 0, 2, 1))
		step("GlobalAveragePool", []string{value})
		step("Flatten", []string{value}, Int("axis", 1))
	case f.Pool == PoolMean:
		step("GlobalAveragePool", []string{value})
		step("Flatten", []string{value}, Int("axis", 1))
	case f.Rank != 2:
		step("Flatten", []string{value}, Int("axis", 1))
	}
	// A cast to float32 costs nothing where it is one already, and the declared type may be missing.
	return appendMessage(t, graphNode, nodeProto("Cast", CutFeature, []string{value}, []Attr{Int("to", int64(Float))}))
}

// segments lists the parts of the new graph and their size together.
func (m *Model) segments(p plan, tail []byte, input string) (list []func(*copier), size int64, err error) {
	g := &m.Graph
	copyField := func(f field) {
		size += f.end - f.tag
		list = append(list, func(c *copier) { c.file(f.tag, f.end) })
	}
	for i, n := range g.Nodes {
		if p.nodes[i] {
			copyField(n.at)
		}
	}
	size += int64(len(tail))
	list = append(list, func(c *copier) { c.bytes(tail) })
	for _, t := range g.Inits {
		switch {
		case !p.keeps(t.Name):
		case t.External:
			head, ext, err := m.internalise(t)
			if err != nil {
				return nil, 0, err
			}
			size += int64(len(head)) + ext.length
			list = append(list, func(c *copier) { c.bytes(head); c.external(ext) })
		default:
			copyField(t.at)
		}
	}
	for _, v := range g.Inputs {
		if v.Name == input {
			copyField(v.at)
		}
	}
	for _, v := range g.declared {
		if p.keeps(v.Name) {
			copyField(v.at)
		}
	}
	for _, v := range g.Infos {
		if p.keeps(v.Name) {
			copyField(v.at)
		}
	}
	for _, f := range g.fields {
		if f.num == graphName || f.num == graphSparse {
			copyField(f)
		}
	}
	output := appendMessage(nil, graphOutput, valueInfo(CutFeature, Float, nil))
	size += int64(len(output))
	list = append(list, func(c *copier) { c.bytes(output) })
	if size > maxModel-m.size+m.graphBytes() || size > maxModel {
		return nil, 0, errors.New("the cut model would be over 2 GiB, which ONNX does not allow in one file; export the model with the features as its output")
	}
	return list, size, nil
}

// graphBytes is the size of the graph in the file; what lies outside of it is copied as it is.
func (m *Model) graphBytes() int64 {
	i := slices.IndexFunc(m.fields, func(f field) bool { return f.message(modelGraph) })
	return m.fields[i].end - m.fields[i].tag
}

// copier copies parts of files to w until something fails.
type copier struct {
	w    io.Writer
	r    io.ReaderAt
	open Opener
	err  error
}

func (c *copier) bytes(b []byte) {
	if c.err == nil {
		_, c.err = c.w.Write(b)
	}
}

func (c *copier) file(start, end int64) {
	if c.err == nil {
		c.copy(io.NewSectionReader(c.r, start, end-start), end-start)
	}
}

func (c *copier) copy(r io.Reader, n int64) {
	got, err := io.CopyN(c.w, r, n)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it is cut off (%d bytes are missing)", errFormat, n-got)
	}
	c.err = err
}
