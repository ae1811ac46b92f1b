package executor

import (
	"errors"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/model"
)

// Choice is what the device and the precision auto are on a machine.
type Choice struct {
	Device    imgvec.DeviceKind `json:"device"`
	Provider  string            `json:"provider"` // as Options.Provider has it; on a CPU "openvino" or "cpu"
	Precision imgvec.Precision  `json:"precision"`
	Reason    string            `json:"reason,omitempty"` // why, in one line
}

// automaticOnGPUs is Choice on GPUs that can be used.
func automaticOnGPUs(m *model.Model, g gpu.Report, quantised bool) Choice {
	plan := planGPU(m, Options{}, func() string { return g.Provider })
	precision, why := plan.foresee(quantised, m.Spec.DType == imgvec.Float16)
	return Choice{imgvec.DeviceCUDA, g.ProviderFor(precision), precision, why}
}

// foresee is the first precision that a model's form allows, and the line about it.
func (p gpuPlan) foresee(quantised, half bool) (imgvec.Precision, string) {
	for _, precision := range p.order {
		if quantised == (precision == imgvec.INT8) && (!half || precision != imgvec.FP32) {
			return precision, p.why(precision, errors.New("the model itself is float16"))
		}
	}
	return p.order[0], p.hint
}
