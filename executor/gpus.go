package executor

import (
	"context"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
)

// gpuTimeout is the default DeviceTimeout of a GPU. Its batches take milliseconds; every size of them has run before,
// when the model was opened.
const gpuTimeout = 2 * time.Minute

// gpus is package gpu, as tests replace it.
type gpus struct {
	look    func(libraryDir string) gpu.Report
	devices func(ids []string) (names []string, err error)
	open    func(context.Context, string, imgvec.Spec, gpu.Options) (gpuBackend, error)
}

// gpuBackend is *gpu.Backend.
type gpuBackend interface {
	imgvec.Backend
	gpuTimes
	Info() gpu.Info
}

func realGPUs() gpus {
	return gpus{gpu.Look, gpu.Devices, func(ctx context.Context, path string, spec imgvec.Spec, o gpu.Options) (gpuBackend, error) {
		b, err := gpu.Open(ctx, path, spec, o)
		if err != nil {
			return nil, err // and no interface that holds a nil
		}
		return b, nil
	}}
}
