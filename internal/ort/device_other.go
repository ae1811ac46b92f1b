//go:build !(cgo && linux)

package ort

import (
	"errors"
	"unsafe"
)

var errNoDevices = errors.New("imgvec: open a session on a device: not in this build: it needs cgo and Linux")

// StartGPU fails: this build can't open the libraries.
func StartGPU(GPUProvider, string) (GPULibraries, error) {
	return GPULibraries{}, unusable("this program was built without cgo, or not for Linux", errNoDevices)
}

// DeviceSession exists in builds with cgo for Linux only.
type DeviceSession struct{}

// OpenDevice fails: this build can't open the libraries.
func OpenDevice(_, _, _ string, _ DeviceOptions) (*DeviceSession, error) { return nil, errNoDevices }

// Bind fails: this build can't open the libraries.
func (*DeviceSession) Bind(_, _ DeviceTensor, _ int) (*Binding, error) { return nil, errNoDevices }

// Close does nothing.
func (*DeviceSession) Close() error { return nil }

// Binding exists in builds with cgo for Linux only.
type Binding struct{}

// Run fails: this build can't open the libraries.
func (*Binding) Run() error { return errNoDevices }

// HostFunc is nil.
func (*Binding) HostFunc() (fn, data unsafe.Pointer) { return nil, nil }

// Err is nil.
func (*Binding) Err() error { return nil }

// Close does nothing.
func (*Binding) Close() error { return nil }

// FixSignals does nothing.
func FixSignals() {}
