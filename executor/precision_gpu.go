package executor

import (
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/model"
)

// gpuPlan is what to ask GPUs for.
type gpuPlan struct {
	order []imgvec.Precision // each where the one before was refused
	hint  string             // where the first was taken
}

// planGPU is the order of precisions on GPUs. auto is fp16, unless the model is known to lose accuracy in it with the
// provider that would run it; int8 where the model is quantised and so has nothing else; fp32 where it can't be
// converted to fp16. A model of which nothing was recorded gets fp16 too, and the hint says how to find out.
func planGPU(m *model.Model, opts Options, automatic func() (provider string)) gpuPlan {
	if opts.Precision != "" && opts.Precision != imgvec.PrecisionAuto {
		return gpuPlan{order: []imgvec.Precision{opts.Precision}}
	}
	provider := opts.Provider
	if provider == "" {
		provider = automatic()
	}
	cosine, known := m.Cosine(provider, imgvec.FP16)
	switch {
	case !known:
		return gpuPlan{fast, "fp16's accuracy on GPUs is not recorded for this model; measure it once with: imgvec model verify " + commandName(m)}
	case cosine < leastCosine:
		return gpuPlan{exact, fmt.Sprintf("fp32: in fp16 on %s this model's features were measured at a cosine of %.5f to fp32's, under %v", provider, cosine, leastCosine)}
	}
	return gpuPlan{order: fast}
}

var (
	fast  = []imgvec.Precision{imgvec.FP16, imgvec.INT8, imgvec.FP32}
	exact = []imgvec.Precision{imgvec.FP32, imgvec.INT8, imgvec.FP16}
)

// why is the line for a person about the precision that was taken. refused is the error of the first one.
func (p gpuPlan) why(taken imgvec.Precision, refused error) string {
	switch taken {
	case p.order[0]:
		return p.hint
	case imgvec.INT8:
		return "int8: the model is quantised"
	}
	return fmt.Sprintf("%s: %s", taken, firstLine(refused.Error()))
}
