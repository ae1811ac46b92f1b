package measure

import (
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/model"
)

func TestWhatAutoChooses(t *testing.T) {
	c := CPU{Provider: "openvino", Precision: imgvec.BF16, Reason: "bf16: this CPU has AMX"}
	for want, g := range map[string]GPU{
		"cpu openvino bf16 bf16: this CPU has AMX":                       {Error: "no driver"},
		"cuda tensorrt fp16 TensorRT is usable":                          {Usable: true, Provider: gpu.TensorRT, Precision: imgvec.FP16},
		"cuda cuda fp16 TensorRT is not usable: libnvinfer is not there": {Usable: true, Provider: gpu.CUDA, Precision: imgvec.FP16, TensorRT: gpu.ProviderReport{Error: "imgvec: libnvinfer is not there:\nmore"}},
		"cuda x fp16 the driver is the simulated one of the tests":       {Usable: true, Simulated: true, Provider: "x", Precision: imgvec.FP16},
	} {
		a := choose(c, g)
		if got := strings.Join([]string{string(a.Device), a.Provider, string(a.Precision), a.Reason}, " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestVerifiedOnGPU(t *testing.T) {
	of := func(provider string, p imgvec.Precision) *model.Model {
		return &model.Model{Manifest: model.Manifest{Cosines: []model.Cosine{{Provider: provider, Precision: p}}}}
	}
	rt := GPU{Usable: true, Provider: gpu.TensorRT}
	for _, c := range []struct {
		m    *model.Model
		g    GPU
		want bool
	}{
		{of("cpu", imgvec.FP32), GPU{}, true}, {of("cpu", imgvec.FP32), GPU{Usable: true, Simulated: true}, true},
		{of("cpu", imgvec.FP32), rt, false}, {of(gpu.TensorRT, imgvec.FP16), rt, true}, {of(gpu.TensorRT, imgvec.INT8), rt, true},
		{of(gpu.CUDA, imgvec.FP16), rt, false}, {of(gpu.CUDA, imgvec.FP32), rt, true},
	} {
		if got := verifiedOnGPU(c.m, c.g); got != c.want {
			t.Errorf("%+v on %+v: %v", c.m.Manifest.Cosines, c.g, got)
		}
	}
}
