package ort

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/imgvec/imgvec/internal/home"
)

// DriverVariable is the environment variable that names the file to open instead of the system's libcuda.so.1.
const DriverVariable = "IMGVEC_CUDA_DRIVER"

// driverFiles are there where the kernel has a driver for NVIDIA's GPUs; a pattern of filepath.Match each. The last is
// that of Linux under Windows.
var driverFiles = []string{"/dev/nvidia[0-9]*", "/dev/dxg"}

// gpuPossible tells whether this machine may have a GPU. It opens nothing: a process that uses no GPU must not wait for
// one.
func gpuPossible(files []string) bool {
	return os.Getenv(DriverVariable) != "" || slices.ContainsFunc(files, func(pattern string) bool {
		found, _ := filepath.Glob(pattern)
		return len(found) > 0
	})
}

// findGPUCore looks for a core that has the CUDA provider beside it, in the usual folders. One that is damaged is passed
// over, and Tried says so: the CPU can still be used.
func findGPUCore() (core home.Found, ok bool) {
	found, err := home.Search{Kind: kindGPU, Files: []string{cudaFile}, Want: "ONNX Runtime for GPUs"}.Find()
	if err != nil {
		return found, false
	}
	core, err = home.Search{Kind: kindGPU, Files: coreFiles, Explicit: filepath.Dir(found.Path), Want: Want}.Find()
	core.By, core.Tried = found.By, append(found.Tried, core.Tried...)
	if err != nil {
		return core, false
	}
	if err := home.Check(core.Path); err != nil {
		core.Tried = append(core.Tried, fmt.Sprintf("%s (not used: %v)", core.Path, err))
		return core, false
	}
	return core, true
}
