package measure

import (
	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/model"
)

// CPU is what the CPU and its libraries can do.
type CPU = cpu.Report

func lookCPU() CPU { return cpu.Probe("") }

// Verified tells whether the model's folder has the cosines that --precision auto goes by on this machine.
func Verified(m *model.Model) bool { return verifiedOnCPU(m) && verifiedOnGPU(m, lookGPU()) }

// verifiedOnCPU: that of the precision it would choose, measured with this version of the provider.
func verifiedOnCPU(m *model.Model) bool {
	r := cpu.Probe("")
	if r.Precision == imgvec.BF16 && r.OpenVINO.Usable {
		_, ok := m.CosineAt(cpu.OpenVINO, r.OpenVINO.Version, imgvec.BF16)
		return ok
	}
	return len(m.Manifest.Cosines) > 0
}
