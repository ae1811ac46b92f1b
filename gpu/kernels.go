package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/cuda"
	"github.com/imgvec/imgvec/internal/float16"
	"github.com/imgvec/imgvec/internal/ort"
)

// kernels are the module's, with the tables that they read, on one device. They do not change once loaded.
type kernels struct {
	module    *cuda.Module
	table     *cuda.DeviceMemory // of normalize: [3][256] of the input's element type
	normalize kernel             // pixels -> the model's input
	finish    kernel             // the model's output -> features; no name: they are the same
	sms       int
}

// kernel is one entry of the module.
type kernel struct {
	name string
	k    *cuda.Kernel
}

// load loads the kernels that the model needs. It runs on a thread of the device.
func (k *kernels) load(d *cuda.Device, fit *ort.Fit, spec imgvec.Spec, l2 bool) (err error) {
	k.sms = d.Info().SMs
	if k.module, err = d.LoadModule(csrc.PTX); err != nil {
		return fmt.Errorf("load kernels: %w", err)
	}
	k.normalize.name = csrc.NormalizeKernel(spec.Layout, spec.DType)
	k.finish.name = finishKernel(fit.Output.DType, l2)
	for _, one := range []*kernel{&k.normalize, &k.finish} {
		if one.name == "" {
			continue
		}
		if one.k, err = k.module.Kernel(one.name); err != nil {
			return fmt.Errorf("load kernel %s: %w", one.name, err)
		}
	}
	k.table, err = upload(d, table(spec), cuda.Tables)
	return err
}

// finishKernel turns the model's output into features.
func finishKernel(output ort.ElementType, l2 bool) string {
	switch {
	case l2 && output == ort.Float16:
		return csrc.L2NormF16
	case l2:
		return csrc.L2NormF32
	case output == ort.Float16:
		return csrc.ConvertF16
	}
	return ""
}

// table is the look-up of the normalisation, as the kernel for the input's element type reads it. A uint8 model
// normalises by itself.
func table(spec imgvec.Spec) []byte {
	var bytes []byte
	for _, channel := range spec.Preset.Table() {
		for v, f := range channel {
			switch spec.DType {
			case imgvec.Float32:
				bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(f))
			case imgvec.Float16:
				bytes = binary.LittleEndian.AppendUint16(bytes, float16.From(f))
			default:
				bytes = append(bytes, uint8(v))
			}
		}
	}
	return bytes
}

// upload copies data into new memory on the device.
func upload(d *cuda.Device, data []byte, p cuda.Purpose) (memory *cuda.DeviceMemory, err error) {
	host, err := d.AllocPinned(int64(len(data)), cuda.Staging)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, host.Free()) }()
	copy(host.Bytes(), data)
	s, err := d.NewStream()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Destroy()) }()
	if memory, err = d.Alloc(int64(len(data)), p); err != nil {
		return nil, err
	}
	err = errors.Join(s.CopyIn(memory, 0, host.Part(0, len(data))), s.Synchronize())
	return memory, err
}

// launch queues a kernel over the given number of work items.
func (k *kernels) launch(s *cuda.Stream, which kernel, work int64, args ...uint64) error {
	grid, block, shared := csrc.Grid(which.name, work, k.sms)
	return which.k.Launch(s, cuda.Dim{X: grid}, cuda.Dim{X: block}, shared, args...)
}

func (k *kernels) free() error {
	err := k.table.Free()
	if k.module != nil {
		err = errors.Join(err, k.module.Unload())
		k.module = nil
	}
	return err
}
