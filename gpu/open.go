package gpu

import (
	"context"
	"fmt"

	"github.com/imgvec/imgvec"
)

// Options say how to open one device.
type Options struct {
	Device     string           // one of Devices' names: "cuda:0"
	Precision  imgvec.Precision // never auto: the executor decides
	Streams    int              // batches in flight; 0: by device
	LibraryDir string           // where ONNX Runtime's providers lie; "": the usual places
}

// Devices lists the devices of the given ids (ordinals, UUIDs, PCI ids), all of them for none, by the names that Open
// takes. An id that is not there is an error that wraps imgvec.ErrNoDevice.
func Devices(ids []string) ([]string, error) {
	if err := Probe(); err != nil {
		return nil, fmt.Errorf("imgvec: list GPUs: %w", err)
	}
	panic("imgvec: BUG: a GPU without GPU support")
}

// Open loads the model at path onto one device. In this build it always fails: its error wraps imgvec.ErrNoDevice and
// gives Probe's reason.
func Open(ctx context.Context, path string, _ imgvec.Spec, opts Options) (imgvec.Backend, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("imgvec: open model %q on %s: %w", path, opts.Device, Probe())
}
