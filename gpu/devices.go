package gpu

import (
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/cuda"
)

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
