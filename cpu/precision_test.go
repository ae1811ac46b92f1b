package cpu

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
)

func TestPrecision(t *testing.T) {
	amx, zen := Features{Name: "Xeon", AMXBF16: true}, Features{Name: "EPYC", AVX512: true, AVX512BF16: true}
	missing := errors.New("no plugin here")
	for name, c := range map[string]struct {
		asked      imgvec.Precision
		features   Features
		quantised  bool
		noOpenVINO error
		want, hint imgvec.Precision // want "" is refused
		text       string
	}{
		"auto, AMX":                      {"auto", amx, false, nil, imgvec.BF16, imgvec.BF16, "AMX"},
		"zero value, AMX":                {"", amx, false, nil, imgvec.BF16, imgvec.BF16, "AMX"},
		"auto, AVX512_BF16 without AMX":  {"auto", zen, false, nil, imgvec.FP32, imgvec.FP32, "no AMX-BF16"},
		"auto, AMX, no OpenVINO":         {"auto", amx, false, missing, imgvec.FP32, imgvec.FP32, "OpenVINO"},
		"auto, quantised":                {"auto", amx, true, nil, imgvec.INT8, imgvec.FP32, "quantised"},
		"fp32, AMX":                      {"fp32", amx, false, nil, imgvec.FP32, imgvec.FP32, ""},
		"fp32, no OpenVINO":              {"fp32", zen, false, missing, imgvec.FP32, imgvec.FP32, ""},
		"bf16, AMX":                      {"bf16", amx, false, nil, imgvec.BF16, imgvec.BF16, ""},
		"bf16, AVX512_BF16 without AMX":  {"bf16", zen, false, nil, "", "", "no AMX-BF16"},
		"bf16, AMX, no OpenVINO":         {"bf16", amx, false, missing, "", "", "no plugin here"},
		"fp16":                           {"fp16", amx, false, nil, "", "", "fp16"},
		"fp16, quantised":                {"fp16", amx, true, nil, "", "", "fp16"},
		"int8, quantised":                {"int8", zen, true, nil, imgvec.INT8, imgvec.FP32, ""},
		"int8, not quantised":            {"int8", zen, false, nil, "", "", "not quantised"},
		"fp32 of a quantised one: int8":  {"fp32", zen, true, nil, imgvec.INT8, imgvec.FP32, "quantised"},
		"a precision that nobody knows":  {"fp8", zen, false, nil, "", "", "unknown"},
		"bf16, quantised, AMX: the rest": {"bf16", amx, true, nil, imgvec.BF16, imgvec.BF16, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := choose(c.asked, c.features, c.quantised, c.noOpenVINO)
			if c.want == "" {
				if !errors.Is(err, imgvec.ErrPrecision) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("error %v, want ErrPrecision with %q", err, c.text)
				}
				return
			}
			if err != nil || got.precision != c.want || got.hint != c.hint || !strings.Contains(got.reason, c.text) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestParseCPUInfo(t *testing.T) {
	name, words := parseCPUInfo("processor\t: 0\nmodel name\t: Intel(R)  Xeon(R)\nflags\t\t: fpu amx_bf16 amx_tile\n\nprocessor\t: 1\nmodel name\t: other\nflags\t\t: fpu\n")
	if name != "Intel(R) Xeon(R)" || len(words) != 3 || words[1] != "amx_bf16" {
		t.Errorf("%q, %q", name, words)
	}
}

func TestOpenVINOVersion(t *testing.T) {
	if got := openvinoVersion("/nowhere/plugin.so"); got != "" {
		t.Errorf("version %q of nothing", got)
	}
}

func TestFloat16(t *testing.T) {
	for bits, want := range map[uint16]float32{
		0x0000: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0400: 6.103515625e-05, 0x0001: 5.9604644775390625e-08, 0x8001: -5.9604644775390625e-08, 0x3555: 0.333251953125,
	} {
		if got := float16(bits); got != want {
			t.Errorf("float16(%#04x) = %v, want %v", bits, got, want)
		}
	}
	if inf := float16(0x7c00); inf <= 65504 {
		t.Errorf("infinity is %v", inf)
	}
	if nan := float64(float16(0x7e00)); !math.IsNaN(nan) {
		t.Errorf("NaN is %v", nan)
	}
}
