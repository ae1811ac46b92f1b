package onnx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Pool says how the vectors of an image become one.
type Pool string

// The poolings: nothing to do, the first of several vectors, the average of all.
const (
	PoolNone Pool = ""
	PoolCLS  Pool = "cls"
	PoolMean Pool = "mean"
)

// Feature is the value of a graph that holds the features, one vector an image.
type Feature struct {
	Value string
	Rank  int // of the value
	Dim   int
	Elem  Elem // 0: not declared
	Pool  Pool

	quantised []string // scale and zero point, where the value is quantised
	Note      string   // how it was found, where nobody named it
	Output    bool     // it is an output of the graph
}

// Plain tells whether a session can hand the features out as they are: a float32 [N, Dim] output.
func (f Feature) Plain() bool {
	return f.Output && f.Rank == 2 && f.Elem == Float && f.Pool == PoolNone && f.quantised == nil
}

// featureNames are what exporters call the output that holds the features, best first.
var featureNames = []string{
	"features", "feature", "image_embeds", "image_embeddings", "image_embedding", "image_features",
	"pooler_output", "pooled_output", "embeddings", "embedding", "embeds", "global_pool", "avgpool",
}

// Feature finds the features: the named value (NAME, NAME#cls or NAME#mean), else an output with a usual name, else
// the input of the linear layer that makes the first output, else that output.
func (x *Index) Feature(name string) (Feature, error) {
	if name != "" {
		return x.named(name)
	}
	for _, usual := range featureNames {
		for _, out := range x.g.Outputs {
			if strings.EqualFold(out.Name, usual) {
				return x.describe(Feature{Value: out.Name})
			}
		}
	}
	if len(x.g.Outputs) == 0 {
		return Feature{}, fmt.Errorf("the model has no output")
	}
	if f, ok := x.classifierInput(x.g.Outputs[0].Name); ok {
		return f, nil
	}
	f, err := x.describe(Feature{Value: x.g.Outputs[0].Name})
	f.Note = fmt.Sprintf("no linear layer was found before output %q, so that output itself is taken as the features", f.Value)
	return f, err
}

func (x *Index) named(name string) (Feature, error) {
	value, pool := name, PoolNone
	if at := strings.LastIndexByte(name, '#'); at > 0 && !x.known(name) {
		value, pool = name[:at], Pool(name[at+1:])
		if pool != PoolCLS && pool != PoolMean {
			return Feature{}, fmt.Errorf("pooling %q of output %q is unknown (cls, mean)", pool, value)
		}
	}
	if !x.known(value) {
		var names []string
		for _, out := range x.g.Outputs {
			names = append(names, fmt.Sprintf("%q %s", out.Name, out.String()))
		}
		return Feature{}, fmt.Errorf("the model computes no value %q; its outputs are %s", value, strings.Join(names, ", "))
	}
	return x.describe(Feature{Value: value, Pool: pool})
}

func (x *Index) known(value string) bool {
	if x.Producer(value) != nil {
		return true
	}
	return slices.ContainsFunc(x.g.Outputs, func(v Value) bool { return v.Name == value })
}

// describe fills in what the graph says of a value, and refuses one that is not a vector an image.
func (x *Index) describe(f Feature) (Feature, error) {
	f.Output = slices.ContainsFunc(x.g.Outputs, func(v Value) bool { return v.Name == f.Value })
	shape := x.shape(f.Value)
	if v := x.Declared(f.Value); v != nil {
		f.Elem = v.Elem
	}
	f.Rank = len(shape)
	last := func(i int) Dim { return shape[len(shape)-1-i] }
	switch {
	case shape == nil:
		return f, fmt.Errorf("the shape of value %q is not declared in the file and can't be told from the graph", f.Value)
	case f.Rank == 2 && f.Pool == PoolNone:
		return f.withDim(last(0), shape)
	case f.Rank == 3 && (f.Pool != PoolNone || shape[1].Size == 1):
		return f.withDim(last(0), shape)
	case f.Rank == 4 && f.Pool == PoolNone && shape[1].Size == 1 && shape[2].Size == 1: // NHWC, pooled
		return f.withDim(last(0), shape)
	case f.Rank == 4 && f.Pool == PoolMean, f.Rank == 4 && f.Pool == PoolNone && last(0).Size == 1 && last(1).Size == 1:
		return f.withDim(shape[1], shape)
	}
	return f, f.refuse(shape)
}

func (f Feature) withDim(d Dim, shape []Dim) (Feature, error) {
	if d.Size <= 0 || d.Size > 1<<24 {
		return f, fmt.Errorf("output %q is %s: the number of features is not declared", f.Value, shapeText(shape))
	}
	f.Dim = int(d.Size)
	return f, nil
}

func (f Feature) refuse(shape []Dim) error {
	text := fmt.Sprintf("output %q is %s, not one vector an image", f.Value, shapeText(shape))
	switch {
	case f.Pool != PoolNone:
		return fmt.Errorf("%s that #%s could be applied to", text, f.Pool)
	case f.Rank == 3:
		return fmt.Errorf("%s; name the output %q for the first vector or %q for their average", text, f.Value+"#cls", f.Value+"#mean")
	case f.Rank == 4:
		return fmt.Errorf("%s; name the output %q for the average over the picture", text, f.Value+"#mean")
	}
	return fmt.Errorf("%s; name the output, or an inner value, that holds the features", text)
}

func shapeText(shape []Dim) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = d.String()
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// String is the size, or the name of a free axis.
func (d Dim) String() string {
	switch {
	case d.Name != "":
		return d.Name
	case d.Size == 0:
		return "?"
	}
	return strconv.FormatInt(d.Size, 10)
}
