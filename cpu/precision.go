package cpu

import (
	"fmt"

	"github.com/imgvec/imgvec"
)

// choice is the arithmetic of a session.
type choice struct {
	precision imgvec.Precision // as reported
	hint      imgvec.Precision // what a provider with a choice is asked for: FP32 or BF16
	reason    string           // of an automatic choice
}

// choose applies the package's rule for precision. noOpenVINO is why OpenVINO is not used, nil where it is.
func choose(asked imgvec.Precision, f Features, quantised bool, noOpenVINO error) (choice, error) {
	if quantised && asked != imgvec.BF16 && asked != imgvec.FP16 {
		return choice{imgvec.INT8, imgvec.FP32, "int8: the model is quantised"}, nil
	}
	switch asked {
	case "", imgvec.PrecisionAuto:
		return automatic(f, noOpenVINO), nil
	case imgvec.FP32:
		return choice{imgvec.FP32, imgvec.FP32, ""}, nil
	case imgvec.BF16:
		if !f.AMXBF16 {
			return choice{}, refuse(asked, fmt.Sprintf("this CPU (%s) has no AMX-BF16, and without it bf16 is emulated and slower than fp32", f.Name))
		}
		if noOpenVINO != nil {
			return choice{}, refuse(asked, "it needs OpenVINO: "+noOpenVINO.Error())
		}
		return choice{imgvec.BF16, imgvec.BF16, ""}, nil
	case imgvec.FP16:
		return choice{}, refuse(asked, "no CPU provider computes in fp16 at a useful speed; use fp32")
	case imgvec.INT8:
		return choice{}, refuse(asked, "the model is not quantised")
	}
	return choice{}, refuse(asked, "it is unknown")
}

func automatic(f Features, noOpenVINO error) choice {
	switch {
	case !f.AMXBF16:
		return choice{imgvec.FP32, imgvec.FP32, "fp32: this CPU has no AMX-BF16"}
	case noOpenVINO != nil:
		return choice{imgvec.FP32, imgvec.FP32, "fp32: bf16 needs OpenVINO"}
	}
	return choice{imgvec.BF16, imgvec.BF16, "bf16: this CPU has AMX-BF16"}
}

func refuse(asked imgvec.Precision, why string) error {
	return fmt.Errorf("imgvec: open model on the CPU in %s: %w: %s", asked, imgvec.ErrPrecision, why)
}
