package cpu

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/cpu"
)

// Features is what the CPU can do that matters here.
type Features struct {
	Name       string `json:"name"`
	Maker      string `json:"maker,omitempty"` // "GenuineIntel", "AuthenticAMD"; "" where the system does not tell
	AVX2       bool   `json:"avx2"`
	AVX512     bool   `json:"avx512"`
	VNNI       bool   `json:"avx512_vnni"`
	AVX512BF16 bool   `json:"avx512_bf16"`
	AMXBF16    bool   `json:"amx_bf16"`
	AMXINT8    bool   `json:"amx_int8"`
}

const (
	intel = "GenuineIntel"
	amd   = "AuthenticAMD"
)

// bf16 names the units that make bf16 faster than fp32, "" where there are none. Intel's AVX-512 BF16 is none: OpenVINO
// was measured slower with it than in fp32, where AMD's (Zen 4 and later) is twice as fast.
func (f Features) bf16() string {
	switch {
	case f.AMXBF16:
		return "AMX-BF16"
	case f.Maker == amd && f.AVX512BF16:
		return "AVX-512 BF16"
	}
	return ""
}

// lacks names the units that would make bf16 worthwhile where bf16 is "".
func (f Features) lacks() string {
	if f.Maker == amd {
		return "AVX-512 BF16"
	}
	return "AMX-BF16"
}

// provider is the one for a model in fp32 or int8, where both work. The plugin is made for Intel's CPUs; on others it is used
// for what it brings only: bf16, and int8 between QuantizeLinear and DequantizeLinear, which took less CPU time on AMD in
// seven of eight cases (docs/int8.md). In fp32, and in int8 operators, ONNX Runtime's own is level there.
func (f Features) provider(model form) string {
	if f.Maker == intel || model == qdq && f.bf16() != "" {
		return OpenVINO
	}
	return CPU
}

// detect asks CPUID, and the kernel where it can: it takes AMX off its list where the state of the tiles is not enabled.
var detect = sync.OnceValue(func() Features {
	f := Features{
		Name:       runtime.GOARCH,
		AVX2:       cpu.X86.HasAVX2,
		AVX512:     cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL,
		VNNI:       cpu.X86.HasAVX512VNNI,
		AVX512BF16: cpu.X86.HasAVX512BF16,
		AMXBF16:    cpu.X86.HasAMXBF16 && cpu.X86.HasAMXTile,
		AMXINT8:    cpu.X86.HasAMXInt8 && cpu.X86.HasAMXTile,
	}
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return f
	}
	name, maker, words := parseCPUInfo(string(text))
	if f.Maker = maker; name != "" {
		f.Name = name
	}
	if words != nil {
		tile := slices.Contains(words, "amx_tile")
		f.AMXBF16 = f.AMXBF16 && tile && slices.Contains(words, "amx_bf16")
		f.AMXINT8 = f.AMXINT8 && tile && slices.Contains(words, "amx_int8")
	}
	return f
})

// parseCPUInfo reads the first processor of /proc/cpuinfo: its name, its maker and its feature words.
func parseCPUInfo(text string) (name, maker string, words []string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			if name == "" {
				name = strings.Join(strings.Fields(value), " ")
			}
		case "vendor_id":
			maker = strings.TrimSpace(value)
		case "flags", "Features":
			if words == nil {
				words = strings.Fields(value)
			}
		}
	}
	return name, maker, words
}
