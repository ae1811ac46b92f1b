package gpu

import (
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/cuda"
	"github.com/imgvec/imgvec/internal/ort"
)

// Probe tells why no GPU can be used; nil means that Open can succeed. It opens the driver, ONNX Runtime and the CUDA
// provider's libraries. The error wraps imgvec.ErrNoDevice or imgvec.ErrNoRuntime and says what is missing and how to
// get it. Safe for concurrent use.
func Probe() error {
	driver, err := cuda.Start()
	if err != nil {
		return err
	}
	all, err := cuda.Devices()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("imgvec: list GPUs: %w: the driver shows none (CUDA_VISIBLE_DEVICES may hide them)", imgvec.ErrNoDevice)
	}
	if _, err := ort.Start(""); err != nil {
		return err
	}
	_, err = ort.StartGPU(least(driver), "")
	return err
}

// least is the provider that any use of the driver needs.
func least(driver cuda.Driver) ort.GPUProvider {
	if driver.Simulated {
		return ort.Host
	}
	return ort.CUDA
}

// Devices lists the devices of the given ids (ordinals, UUIDs, PCI ids), all of them for none, by the names that Open
// takes. An id that is not there is an error that wraps imgvec.ErrNoDevice. Only devices that CUDA_VISIBLE_DEVICES
// leaves exist.
func Devices(ids []string) ([]string, error) {
	if _, err := cuda.Start(); err != nil {
		return nil, err
	}
	all, err := cuda.Devices()
	if err != nil {
		return nil, err
	}
	found, err := cuda.Find(all, ids)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("imgvec: list GPUs: %w: the driver shows none (CUDA_VISIBLE_DEVICES may hide them)", imgvec.ErrNoDevice)
	}
	names := make([]string, len(found))
	for i := range found {
		names[i] = fmt.Sprintf("%s%d", prefix, found[i].Ordinal)
	}
	return names, nil
}
