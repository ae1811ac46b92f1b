package executor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/model"
)

// leastCosine is how near a precision's features must be to those of fp32 for auto to choose it.
const leastCosine = 0.999

// cpuPrecision is what to ask the CPU for. auto is the CPU's own choice, which is bf16 where that is fast, unless the
// model is known to lose accuracy in it. A model of which nothing was recorded gets the CPU's choice too, and why says
// how to find out. why makes the line for a person out of what the session came to compute in.
func cpuPrecision(m *model.Model, asked imgvec.Precision) (ask imgvec.Precision, why func(got imgvec.Precision) string) {
	nothing := func(imgvec.Precision) string { return "" }
	if asked != "" && asked != imgvec.PrecisionAuto {
		return asked, nothing
	}
	if _, quantised := m.Cosine(cpu.CPU, imgvec.INT8); quantised {
		return imgvec.PrecisionAuto, nothing // int8 is all that it has, whatever was once recorded of it under bf16
	}
	cosine, known := m.Cosine(cpu.OpenVINO, imgvec.BF16)
	switch {
	case !known:
		return imgvec.PrecisionAuto, func(got imgvec.Precision) string {
			if got != imgvec.BF16 {
				return ""
			}
			return "bf16's accuracy is not recorded for this model; measure it once with: imgvec model verify " + commandName(m)
		}
	case cosine < leastCosine:
		return imgvec.FP32, func(got imgvec.Precision) string {
			if got != imgvec.FP32 {
				return ""
			}
			return fmt.Sprintf("fp32: in bf16 this model's features were measured at a cosine of %.5f to fp32's, under %v", cosine, leastCosine)
		}
	}
	return imgvec.PrecisionAuto, nothing
}

// automaticOnCPU is Choice on the CPU.
func automaticOnCPU(m *model.Model, c cpu.Report) (Choice, error) {
	ask, why := cpuPrecision(m, imgvec.PrecisionAuto)
	onCPU, err := c.Choose(m.Path, ask)
	if err != nil {
		return Choice{}, err
	}
	reasons := slices.DeleteFunc([]string{onCPU.Reason, why(onCPU.Precision)}, func(s string) bool { return s == "" })
	return Choice{imgvec.DeviceCPU, onCPU.Provider, onCPU.Precision, strings.Join(reasons, "; ")}, nil
}
