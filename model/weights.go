package model

import (
	"fmt"

	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/model/internal/checkpoint"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// weights shows a checkpoint to the graph builders under the names that they use.
type weights struct {
	file  *checkpoint.File
	names []string
	own   map[string]string // builder's name -> the checkpoint's
}

func newWeights(f *checkpoint.File) (*weights, error) {
	w := &weights{file: f, own: map[string]string{}}
	renamed := graph.TorchvisionNames(f.Names())
	for _, name := range f.Names() {
		to := renamed[name]
		if other, twice := w.own[to]; twice {
			return nil, fmt.Errorf("tensors %q and %q mean the same weight", other, name)
		}
		w.own[to] = name
		w.names = append(w.names, to)
	}
	return w, nil
}

// Names implements graph.Source.
func (w *weights) Names() []string { return w.names }

// Shape implements graph.Source.
func (w *weights) Shape(name string) ([]int64, bool) {
	t, ok := w.file.Tensor(w.own[name])
	if !ok {
		return nil, false
	}
	return t.Shape, true
}

// Float32s implements graph.Source.
func (w *weights) Float32s(name string) ([]float32, error) {
	t, ok := w.file.Tensor(w.own[name])
	if !ok {
		return nil, fmt.Errorf("tensor %q is not there", name)
	}
	return t.Float32s()
}

// buildGraph builds an architecture for pictures of one size.
func buildGraph(arch string, size int, src graph.Source) (b *onnx.Builder, dim int, err error) {
	if dim, ok := graph.ResNetDim(arch); ok {
		b, err := graph.ResNet(arch, size, src)
		return b, dim, err
	}
	if want, ok := graph.LiteSize(arch); ok {
		if size != want {
			return nil, 0, fmt.Errorf("%s takes pictures of %d pixels, not %d", arch, want, size)
		}
		b, err := graph.EfficientNetLite(arch, src)
		return b, graph.LiteDim, err
	}
	return nil, 0, fmt.Errorf("architecture %q can't be imported; the ones that can are: %s", arch, archList())
}
