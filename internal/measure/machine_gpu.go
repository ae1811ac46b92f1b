package measure

import "github.com/imgvec/imgvec/gpu"

func lookGPU() GPU {
	if err := gpu.Probe(); err != nil {
		return GPU{Error: err.Error()}
	}
	return GPU{Usable: true}
}
