package gpu

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
)

func TestAttempts(t *testing.T) {
	for _, c := range []struct {
		asked   string
		chosen  ort.GPUProvider
		session map[string]string
		want    []attempt
	}{
		{"", ort.TensorRT, nil, []attempt{{ort.TensorRT, false}, {ort.CUDA, true}, {ort.CUDA, false}}},
		{TensorRT, ort.TensorRT, nil, []attempt{{ort.TensorRT, false}}},
		{TensorRT, ort.TensorRT, map[string]string{"trt_cuda_graph_enable": "1"}, []attempt{{ort.TensorRT, true}}},
		{"", ort.CUDA, nil, []attempt{{ort.CUDA, true}, {ort.CUDA, false}}},
		{CUDA, ort.CUDA, map[string]string{"enable_cuda_graph": "0"}, []attempt{{ort.CUDA, false}}},
		{"", ort.Host, nil, []attempt{{ort.Host, false}}},
	} {
		o := &opening{Options: Options{Provider: c.asked, Session: c.session}, provider: c.chosen}
		if got := o.attempts(); !slices.Equal(got, c.want) {
			t.Errorf("%q on %s: %v, want %v", c.asked, c.chosen, got, c.want)
		}
	}
}

// TestTheFirstWayThatTakesTheModel opens with ways that fail: the model's fault leads on to the next, the device's does not.
func TestTheFirstWayThatTakesTheModel(t *testing.T) {
	refused := fmt.Errorf("%w: not partitioned", imgvec.ErrModel)
	for _, c := range []struct {
		errs  []error
		opens int
		want  error
		log   string
	}{
		{[]error{nil}, 1, nil, ""},
		{[]error{refused, nil}, 2, nil, "with CUDA graphs does not take this model, ONNX Runtime's CUDA provider is tried"},
		{[]error{refused, refused}, 2, imgvec.ErrModel, "not partitioned"},
		{[]error{imgvec.ErrNoDevice}, 1, imgvec.ErrNoDevice, ""},
		{[]error{imgvec.ErrOutOfMemory}, 1, imgvec.ErrOutOfMemory, ""},
	} {
		var l lines
		var graphs []bool
		o := &opening{Options: Options{Device: "cuda:0", Log: l.log}, provider: ort.CUDA}
		_, err := o.firstOf(o.attempts(), func() (*Backend, error) {
			graphs = append(graphs, o.graphs)
			return nil, c.errs[len(graphs)-1]
		})
		if !errors.Is(err, c.want) || len(graphs) != c.opens || !strings.Contains(strings.Join(l.all, ""), c.log) || !graphs[0] {
			t.Errorf("%v: %v after %d tries (graphs %v), said %q", c.errs, err, len(graphs), graphs, l.all)
		}
	}
}

func TestTensorRTIsNoFP32(t *testing.T) {
	o := &opening{Options: Options{Provider: TensorRT, Precision: imgvec.FP32}}
	if err := o.chooseProvider(); !errors.Is(err, imgvec.ErrPrecision) || !strings.Contains(err.Error(), "TF32") {
		t.Errorf("%v", err)
	}
}
