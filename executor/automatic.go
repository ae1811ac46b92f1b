package executor

import (
	"errors"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
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

// Automatic is what Open takes for the model where device and precision are auto and nothing else is asked for, on a
// machine that the two reports describe. It goes by the rules of Open, by the model's records and by its file. It loads
// nothing: that a provider refuses the model turns out when it is opened. The errors are Open's.
func Automatic(m *model.Model, c cpu.Report, g gpu.Report) (Choice, error) {
	file, err := c.Choose(m.Path, imgvec.PrecisionAuto)
	if err != nil {
		return Choice{}, err
	}
	if g.Usable {
		plan := planGPU(m, Options{}, func() string { return g.Provider })
		precision, why := plan.foresee(file.Precision == imgvec.INT8, m.Spec.DType == imgvec.Float16)
		return Choice{imgvec.DeviceCUDA, g.ProviderFor(precision), precision, why}, nil
	}
	ask, why := cpuPrecision(m, imgvec.PrecisionAuto)
	onCPU, err := c.Choose(m.Path, ask)
	if err != nil {
		return Choice{}, err
	}
	reasons := slices.DeleteFunc([]string{onCPU.Reason, why(onCPU.Precision)}, func(s string) bool { return s == "" })
	return Choice{imgvec.DeviceCPU, onCPU.Provider, onCPU.Precision, strings.Join(reasons, "; ")}, nil
}

// foresee is the first precision that a model's form allows, and the line about it.
func (p gpuPlan) foresee(quantised, half bool) (imgvec.Precision, string) {
	for _, precision := range p.order {
		if quantised == (precision == imgvec.INT8) && !(half && precision == imgvec.FP32) {
			return precision, p.why(precision, errors.New("the model itself is float16"))
		}
	}
	return p.order[0], p.hint
}
