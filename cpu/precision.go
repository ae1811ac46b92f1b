package cpu

import (
	"errors"
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
)

// choice is how a model runs.
type choice struct {
	provider  string           // OpenVINO or CPU
	precision imgvec.Precision // as reported
	hint      imgvec.Precision // what OpenVINO is asked for: FP32 or BF16
	reason    string           // one line for a person; "" where nothing was chosen
}

// form is what a model's graph computes in.
type form int

const (
	floats  form = iota // also where it stores weights in int8
	qlinear             // int8, in operators of its own
	qdq                 // int8, as floats between QuantizeLinear and DequantizeLinear
)

func formOf(g *ort.Graph) form {
	switch {
	case g.Quantised && g.Dequantises:
		return qdq
	case g.Quantised:
		return qlinear
	}
	return floats
}

// choose applies the package's rules, as if OpenVINO worked: see choice.without. provider is Options.Provider.
func choose(asked imgvec.Precision, provider string, f Features, model form) (choice, error) {
	c := choice{provider: f.provider(model), precision: imgvec.FP32, hint: imgvec.FP32}
	if provider != "" {
		c.provider = provider
	}
	if model != floats {
		return c.quantised(asked, f)
	}
	switch asked {
	case "", imgvec.PrecisionAuto:
		return c.automatic(provider, f), nil
	case imgvec.FP32:
		return c, nil
	case imgvec.BF16:
		if f.bf16() == "" {
			return choice{}, refuse(asked, fmt.Errorf("this CPU (%s) has no %s, and without it bf16 is slower than fp32", f.Name, f.lacks()))
		}
		if provider == CPU {
			return choice{}, refuse(asked, errNotAsked)
		}
		return choice{provider: OpenVINO, precision: imgvec.BF16, hint: imgvec.BF16}, nil
	case imgvec.FP16:
		return choice{}, refuse(asked, errors.New("no CPU provider computes in fp16 at a useful speed; use fp32"))
	case imgvec.INT8:
		return choice{}, refuse(asked, errors.New("the model is not quantised"))
	}
	return choice{}, refuse(asked, errUnknown)
}

// quantised is int8, the only precision of a model that computes in it: its rounding to int8 is part of the graph. A model
// that merely stores int8 weights (DequantizeLinear alone) is no such model.
func (c choice) quantised(asked imgvec.Precision, f Features) (choice, error) {
	switch asked {
	case "", imgvec.PrecisionAuto, imgvec.INT8:
		c.precision, c.reason = imgvec.INT8, "int8: the model is quantised"
		if f.AVX2 && !f.VNNI && !f.AMXINT8 { // nothing is known of other makers'
			c.reason += "; this CPU has no AVX-512 VNNI: it may be slow and less exact"
		}
		return c, nil
	case imgvec.FP32, imgvec.BF16, imgvec.FP16:
		return choice{}, refuse(asked, fmt.Errorf("the model is quantised and computes in int8 whatever is asked; use %s or %s",
			imgvec.PrecisionAuto, imgvec.INT8))
	}
	return choice{}, refuse(asked, errUnknown)
}

var errUnknown = errors.New("it is unknown")

var errNotAsked = fmt.Errorf("it needs OpenVINO, and provider %q was asked for", CPU)

// automatic is bf16 where the CPU has units for it and OpenVINO may use them.
func (c choice) automatic(provider string, f Features) choice {
	unit := f.bf16()
	switch {
	case unit != "" && provider != CPU:
		return choice{OpenVINO, imgvec.BF16, imgvec.BF16, "bf16: this CPU has " + unit}
	case unit != "":
		c.reason = "fp32: bf16 needs OpenVINO"
	case provider == "" && f.Maker == amd:
		c.reason = "OpenVINO is not used: its plugin offers Intel CPUs only"
	default:
		c.reason = "fp32: this CPU has no " + f.lacks()
	}
	return c
}

// without is what is left of a choice of OpenVINO where it can't be used: ONNX Runtime's own provider in fp32, but for
// bf16 that was asked for.
func (c choice) without(asked imgvec.Precision, why error) (choice, error) {
	if asked == imgvec.BF16 {
		return choice{}, refuse(asked, fmt.Errorf("it needs OpenVINO: %w", why))
	}
	reason := "OpenVINO is not used: " + short(why)
	if c.precision == imgvec.BF16 {
		c.precision, reason = imgvec.FP32, "fp32: "+reason
	}
	c.provider, c.hint, c.reason = CPU, imgvec.FP32, reason
	return c, nil
}

// short is one line of an error, without paths: the whole stands in Probe's report, or in what Open says where OpenVINO is
// asked for by name.
func short(err error) string {
	var unusable *ort.Unusable
	if errors.As(err, &unusable) {
		return unusable.Short
	}
	return "it does not take this model"
}

func refuse(asked imgvec.Precision, why error) error {
	return fmt.Errorf("imgvec: open model on the CPU in %s: %w: %w", asked, imgvec.ErrPrecision, why)
}
