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
	AVX2       bool   `json:"avx2"`
	AVX512     bool   `json:"avx512"`
	VNNI       bool   `json:"avx512_vnni"`
	AVX512BF16 bool   `json:"avx512_bf16"`
	AMXBF16    bool   `json:"amx_bf16"`
	AMXINT8    bool   `json:"amx_int8"`
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
	name, words := parseCPUInfo(string(text))
	if name != "" {
		f.Name = name
	}
	if words != nil {
		tile := slices.Contains(words, "amx_tile")
		f.AMXBF16 = f.AMXBF16 && tile && slices.Contains(words, "amx_bf16")
		f.AMXINT8 = f.AMXINT8 && tile && slices.Contains(words, "amx_int8")
	}
	return f
})

// parseCPUInfo reads the first processor of /proc/cpuinfo: its name and its feature words.
func parseCPUInfo(text string) (name string, words []string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			if name == "" {
				name = strings.Join(strings.Fields(value), " ")
			}
		case "flags", "Features":
			if words == nil {
				words = strings.Fields(value)
			}
		}
	}
	return name, words
}
