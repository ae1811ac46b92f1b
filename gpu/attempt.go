package gpu

import (
	"context"
	"errors"
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
)

// attempt is one way to run the model.
type attempt struct {
	provider ort.GPUProvider
	graphs   bool // one CUDA graph a bucket
}

func (a attempt) String() string {
	switch {
	case a.provider == ort.TensorRT:
		return "TensorRT"
	case a.graphs:
		return "ONNX Runtime's CUDA provider with CUDA graphs"
	}
	return "ONNX Runtime's CUDA provider"
}

// attempts are the ways to run the model on the chosen provider, best first. Not every model can be captured as a CUDA
// graph, and TensorRT does not take every model; where it was not asked for by name, the CUDA provider takes its place.
func (o *opening) attempts() []attempt {
	cuda := []attempt{{ort.CUDA, true}, {ort.CUDA, false}}
	if o.Session["enable_cuda_graph"] == "0" || o.Session["cuda.enable_cuda_graph"] == "0" {
		cuda = cuda[1:]
	}
	switch {
	case o.provider == ort.CUDA:
		return cuda
	case o.provider == ort.TensorRT && o.Provider == "":
		return append([]attempt{o.tensorRT()}, cuda...)
	case o.provider == ort.TensorRT:
		return []attempt{o.tensorRT()}
	}
	return []attempt{{o.provider, false}}
}

// tensorRT has no graphs of its own accord: ONNX Runtime waits for each replay there.
func (o *opening) tensorRT() attempt {
	return attempt{ort.TensorRT, o.Session["trt_cuda_graph_enable"] == "1"}
}

// firstOf opens the model in the first way that takes it.
func (o *opening) firstOf(list []attempt, open func() (*Backend, error)) (*Backend, error) {
	for i, a := range list {
		if i > 0 && a.provider != o.provider {
			if err := o.use(a.provider, list[i-1].String()+" does not take this model"); err != nil {
				return nil, err
			}
		}
		o.graphs = a.graphs
		b, err := open()
		if err == nil || i == len(list)-1 || !isModelError(err) {
			return b, err
		}
		o.Log(fmt.Sprintf("%s: %s does not take this model, %s is tried: %v", o.Device, a, list[i+1], err))
	}
	panic("imgvec: BUG: no way to run a model")
}

// isModelError tells whether another way might take the model.
func isModelError(err error) bool {
	return !errors.Is(err, errCache) && !errors.Is(err, imgvec.ErrNoDevice) && !errors.Is(err, imgvec.ErrOutOfMemory) && !errors.Is(err, context.Canceled) &&
		!errors.Is(err, context.DeadlineExceeded)
}
