package model

import (
	"fmt"

	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/model/internal/checkpoint"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// weights shows a checkpoint to the graph builders.
type weights struct {
	file   *checkpoint.File
	config graph.Config // from a file beside it
}

// Names implements graph.Source.
func (w weights) Names() []string { return w.file.Names() }

// Shape implements graph.Source.
func (w weights) Shape(name string) ([]int64, bool) {
	t, ok := w.file.Tensor(name)
	if !ok {
		return nil, false
	}
	return t.Shape, true
}

// Float32s implements graph.Source.
func (w weights) Float32s(name string) ([]float32, error) {
	t, ok := w.file.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("tensor %q is not there", name)
	}
	return t.Float32s()
}

// built is a model's graph, and what the manifest says of it.
type built struct {
	*onnx.Builder
	dim    int    // features an image
	side   int    // of the pictures, in pixels
	logits string // name of the output with a classifier's scores; empty: the checkpoint has no classifier
}

// buildGraph builds an architecture for pictures of one size; 0 is the size that the checkpoint was made for.
func buildGraph(arch string, size int, src graph.Source) (built, error) {
	b, err := graph.Build(arch, size, src)
	if err != nil {
		return built{}, err
	}
	input, features := b.Declared(graph.Input), b.Declared(graph.Features)
	g := built{Builder: b, dim: int(features[1].Size), side: int(input[2].Size)}
	if b.Declared(graph.Logits) != nil {
		g.logits = graph.Logits
	}
	return g, nil
}
