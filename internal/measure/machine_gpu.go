package measure

import (
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/model"
)

// GPUBuilt tells whether this program was built with GPU support.
const GPUBuilt = gpu.Built

// GPU is what the GPUs and their libraries can do.
type GPU = gpu.Report

// GPUProvider is an execution provider on GPUs.
type GPUProvider = gpu.ProviderReport

// GPUDevice is one GPU.
type GPUDevice = gpu.Device

// RealGPU tells whether a real GPU answers, whatever its libraries lack: what they are fetched for.
func RealGPU() bool {
	r := lookGPU()
	return len(r.Devices) > 0 && !r.Simulated
}

func lookGPU() GPU { return gpu.Look("") }

// gpuReason is why auto takes the GPUs as it does.
func gpuReason(g GPU) string {
	switch {
	case g.Simulated:
		return "the driver is the simulated one of the tests"
	case g.Provider == gpu.TensorRT:
		return "TensorRT is usable"
	}
	why, _, _ := strings.Cut(g.TensorRT.Error, "\n")
	return "TensorRT is not usable: " + strings.TrimSuffix(strings.TrimPrefix(why, "imgvec: "), ":")
}

// verifiedOnGPU tells whether the model was measured on this machine's GPU, if it has one.
func verifiedOnGPU(m *model.Model, g GPU) bool {
	if !g.Usable || g.Simulated {
		return true
	}
	for _, p := range []imgvec.Precision{imgvec.FP16, imgvec.INT8, imgvec.FP32} { // one that can't be fp16 has another
		if _, ok := m.Cosine(g.Provider, p); ok {
			return true
		}
	}
	_, ok := m.Cosine(gpu.CUDA, imgvec.FP32) // TensorRT does not take the model
	return ok
}
