package cpu

import (
	"errors"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
)

var (
	xeonAMX   = Features{Name: "Xeon", Maker: intel, AVX512: true, AVX512BF16: true, AMXBF16: true}
	xeonBF16  = Features{Name: "Cooper Lake", Maker: intel, AVX512: true, AVX512BF16: true}
	zen4      = Features{Name: "EPYC", Maker: amd, AVX512: true, AVX512BF16: true}
	zen3      = Features{Name: "EPYC", Maker: amd, AVX2: true}
	other     = Features{Name: "arm64"}
	missing   = &ort.Unusable{Short: "a part is missing"}
	errModel  = errors.New("imgvec: open model \"/a/long/path\": no")
	intelOnly = "OpenVINO is not used: its plugin offers Intel CPUs only"
)

func TestChoice(t *testing.T) {
	for name, c := range map[string]struct {
		asked      imgvec.Precision
		provider   string
		features   Features
		model      form
		noOpenVINO error
		want       choice // its reason is a part; provider "" is refused with that part
	}{
		"auto, AMX":               {"auto", "", xeonAMX, floats, nil, choice{OpenVINO, imgvec.BF16, imgvec.BF16, "AMX-BF16"}},
		"zero value, AMX":         {"", "", xeonAMX, floats, nil, choice{OpenVINO, imgvec.BF16, imgvec.BF16, "AMX-BF16"}},
		"auto, Zen 4":             {"auto", "", zen4, floats, nil, choice{OpenVINO, imgvec.BF16, imgvec.BF16, "AVX-512 BF16"}},
		"auto, Zen 3":             {"auto", "", zen3, floats, nil, choice{CPU, imgvec.FP32, imgvec.FP32, intelOnly}},
		"auto, Intel without AMX": {"auto", "", xeonBF16, floats, nil, choice{OpenVINO, imgvec.FP32, imgvec.FP32, "no AMX-BF16"}},
		"auto, other":             {"auto", "", other, floats, nil, choice{CPU, imgvec.FP32, imgvec.FP32, "no AMX-BF16"}},
		"auto, provider cpu":      {"auto", CPU, zen4, floats, nil, choice{CPU, imgvec.FP32, imgvec.FP32, "bf16 needs OpenVINO"}},
		"auto, openvino on Zen 3": {"auto", OpenVINO, zen3, floats, nil, choice{OpenVINO, imgvec.FP32, imgvec.FP32, "no AVX-512 BF16"}},
		"auto, AMX, missing":      {"auto", "", xeonAMX, floats, missing, choice{CPU, imgvec.FP32, imgvec.FP32, "fp32: OpenVINO is not used: a part is missing"}},
		"auto, Zen 4, bad model":  {"auto", "", zen4, floats, errModel, choice{CPU, imgvec.FP32, imgvec.FP32, "fp32: OpenVINO is not used: it does not take this model"}},
		"fp32, Intel":             {"fp32", "", xeonAMX, floats, nil, choice{OpenVINO, imgvec.FP32, imgvec.FP32, ""}},
		"fp32, Intel, missing":    {"fp32", "", xeonBF16, floats, missing, choice{CPU, imgvec.FP32, imgvec.FP32, "OpenVINO is not used: a part is missing"}},
		"fp32, Zen 4":             {"fp32", "", zen4, floats, nil, choice{CPU, imgvec.FP32, imgvec.FP32, ""}},
		"fp32, openvino on Zen 4": {"fp32", OpenVINO, zen4, floats, nil, choice{OpenVINO, imgvec.FP32, imgvec.FP32, ""}},
		"bf16, AMX":               {"bf16", "", xeonAMX, floats, nil, choice{OpenVINO, imgvec.BF16, imgvec.BF16, ""}},
		"bf16, Zen 4":             {"bf16", "", zen4, floats, nil, choice{OpenVINO, imgvec.BF16, imgvec.BF16, ""}},
		"bf16, Intel without AMX": {"bf16", "", xeonBF16, floats, nil, choice{reason: "no AMX-BF16"}},
		"bf16, Zen 3":             {"bf16", "", zen3, floats, nil, choice{reason: "no AVX-512 BF16"}},
		"bf16, other":             {"bf16", "", other, floats, nil, choice{reason: "no AMX-BF16"}},
		"bf16, Zen 4, missing":    {"bf16", "", zen4, floats, missing, choice{reason: "a part is missing"}},
		"bf16, provider cpu":      {"bf16", CPU, zen4, floats, nil, choice{reason: "needs OpenVINO"}},
		"bf16, quantised, AMX":    {"bf16", "", xeonAMX, qlinear, nil, choice{reason: "use auto or int8"}},
		"bf16, quantised, Zen 3":  {"bf16", "", zen3, qlinear, nil, choice{reason: "use auto or int8"}},
		"auto, quantised":         {"auto", "", xeonAMX, qlinear, nil, choice{OpenVINO, imgvec.INT8, imgvec.FP32, "quantised"}},
		"auto, quantised, Zen 4":  {"auto", "", zen4, qlinear, nil, choice{CPU, imgvec.INT8, imgvec.FP32, "quantised"}},
		"auto, QDQ, Zen 4":        {"auto", "", zen4, qdq, nil, choice{OpenVINO, imgvec.INT8, imgvec.FP32, "quantised"}},
		"auto, QDQ, AMX":          {"auto", "", xeonAMX, qdq, nil, choice{OpenVINO, imgvec.INT8, imgvec.FP32, "quantised"}},
		"auto, QDQ, Zen 3":        {"auto", "", zen3, qdq, nil, choice{CPU, imgvec.INT8, imgvec.FP32, "no AVX-512 VNNI"}},
		"auto, QDQ, missing":      {"auto", "", zen4, qdq, missing, choice{CPU, imgvec.INT8, imgvec.FP32, "a part is missing"}},
		"int8, QDQ, provider cpu": {"int8", CPU, zen4, qdq, nil, choice{CPU, imgvec.INT8, imgvec.FP32, "quantised"}},
		"auto, quantised, Zen 3":  {"auto", "", zen3, qlinear, nil, choice{CPU, imgvec.INT8, imgvec.FP32, "quantised"}},
		"quantised, missing":      {"auto", "", xeonAMX, qlinear, missing, choice{CPU, imgvec.INT8, imgvec.FP32, "a part is missing"}},
		"fp32 of a quantised one": {"fp32", "", zen4, qlinear, nil, choice{reason: "use auto or int8"}},
		"zero value, quantised":   {"", CPU, zen4, qlinear, nil, choice{CPU, imgvec.INT8, imgvec.FP32, "quantised"}},
		"unknown, quantised":      {"fp8", "", zen4, qlinear, nil, choice{reason: "unknown"}},
		"int8, quantised":         {"int8", "", zen3, qlinear, nil, choice{CPU, imgvec.INT8, imgvec.FP32, "quantised"}},
		"int8, not quantised":     {"int8", "", zen4, floats, nil, choice{reason: "not quantised"}},
		"fp16":                    {"fp16", "", xeonAMX, floats, nil, choice{reason: "fp16"}},
		"fp16, quantised":         {"fp16", "", xeonAMX, qlinear, nil, choice{reason: "use auto or int8"}},
		"one that nobody knows":   {"fp8", "", zen4, floats, nil, choice{reason: "unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := choose(c.asked, c.provider, c.features, c.model)
			if err == nil && got.provider == OpenVINO && c.noOpenVINO != nil {
				got, err = got.without(c.asked, c.noOpenVINO)
			}
			if c.want.provider == "" {
				if !errors.Is(err, imgvec.ErrPrecision) || !strings.Contains(err.Error(), c.want.reason) {
					t.Errorf("%+v, %v; want ErrPrecision with %q", got, err, c.want.reason)
				}
				return
			}
			if err != nil || !strings.Contains(got.reason, c.want.reason) || c.want.reason == "" && got.reason != "" {
				t.Errorf("%+v, %v", got, err)
			}
			if strings.ContainsAny(got.reason, "/\n") || len(got.reason) > 100 {
				t.Errorf("reason %q is no short line", got.reason)
			}
			if got.reason = c.want.reason; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestParseCPUInfo(t *testing.T) {
	name, maker, words := parseCPUInfo("processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R)  Xeon(R)\nflags\t\t: fpu amx_bf16 amx_tile\n\nprocessor\t: 1\nmodel name\t: other\nflags\t\t: fpu\n")
	if name != "Intel(R) Xeon(R)" || maker != intel || len(words) != 3 || words[1] != "amx_bf16" {
		t.Errorf("%q, %q, %q", name, maker, words)
	}
}

func TestOpenVINOVersion(t *testing.T) {
	if got := openvinoVersion("/nowhere/plugin.so"); got != "" {
		t.Errorf("version %q of nothing", got)
	}
}
