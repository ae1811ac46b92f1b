//go:build cgo && linux

package ort

// StartGPU is
func StartGPU(p GPUProvider, dir string) (GPULibraries, error) { return GPULibraries{}, nil }
