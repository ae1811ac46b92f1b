//go:build cuda && cgo && linux

package cuda

import (
	"unsafe"

	"gorgonia.org/cu"
)

// Module is device code that is loaded into the device's context. Its methods run inside Do.
type Module struct {
	device *Device
	module cu.Module
	open   bool
}

// LoadModule loads PTX text, which the driver compiles for the device. The caller owns and unloads it. Inside Do.
func (d *Device) LoadModule(ptx string) (*Module, error) {
	module, err := cu.LoadData(ptx)
	if err != nil {
		return nil, d.wrap("cuModuleLoadData", err)
	}
	d.held.count("module", 1)
	return &Module{device: d, module: module, open: true}, nil
}

// Kernel finds a kernel by its name. It is valid until Unload.
func (m *Module) Kernel(name string) (*Kernel, error) {
	function, err := m.module.Function(name)
	if err != nil {
		return nil, m.device.wrap("cuModuleGetFunction "+name, err)
	}
	return &Kernel{device: m.device, name: name, function: function}, nil
}

// Unload gives the module back. None of its kernels may be running. Idempotent and nil-safe.
func (m *Module) Unload() error {
	if m == nil || !m.open {
		return nil
	}
	m.open = false
	m.device.held.count("module", -1)
	return m.device.wrapUnlessLost("cuModuleUnload", m.module.Unload())
}

// Kernel is a function of a Module.
type Kernel struct {
	device   *Device
	name     string
	function cu.Function
}

// Launch queues the kernel on s. shared is the dynamic shared memory of a block in bytes. Every parameter of the kernel
// must be 64 bits wide and take one of args. Inside Do.
func (k *Kernel) Launch(s *Stream, grid, block Dim, shared int, args ...uint64) error {
	// gorgonia.org/cu reads eight bytes behind each pointer, whatever the parameter's width.
	params := make([]unsafe.Pointer, len(args))
	for i := range args {
		params[i] = unsafe.Pointer(&args[i])
	}
	err := k.function.Launch(atLeast1(grid.X), atLeast1(grid.Y), atLeast1(grid.Z),
		atLeast1(block.X), atLeast1(block.Y), atLeast1(block.Z), shared, s.stream, params)
	return k.device.wrap("cuLaunchKernel "+k.name, err)
}

func atLeast1(n int) int { return max(n, 1) }
