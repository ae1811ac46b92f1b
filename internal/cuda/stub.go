//go:build !(cuda && cgo && linux)

package cuda

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/imgvec/imgvec"
)

// Built tells whether this program has the driver face: whether it was built for GPUs.
const Built = false

// errNoGPU is what everything returns in a build that has no driver face.
var errNoGPU = fmt.Errorf("imgvec: start the GPU driver: %w: this program was built without GPU support; build it with -tags cuda, on Linux and with cgo (docs/gpu-go.md)", imgvec.ErrNoDevice)

// Start fails: this build has no GPU support.
func Start() (Driver, error) { return Driver{}, errNoGPU }

// Devices fails: this build has no GPU support.
func Devices() ([]Info, error) { return nil, errNoGPU }

// Device exists in builds with GPU support only.
type Device struct{}

// Open fails: this build has no GPU support.
func Open(int) (*Device, error) { return nil, errNoGPU }

// Info is empty.
func (*Device) Info() Info { return Info{} }

// Free fails: this build has no GPU support.
func (*Device) Free() (free, total int64, err error) { return 0, 0, errNoGPU }

// Bytes is empty.
func (*Device) Bytes() map[Purpose]int64 { return nil }

// Close does nothing.
func (*Device) Close() error { return nil }

// Thread exists in builds with GPU support only.
type Thread struct{}

// NewThread fails: this build has no GPU support.
func (*Device) NewThread() (*Thread, error) { return nil, errNoGPU }

// Do fails: this build has no GPU support.
func (*Thread) Do(func() error) error { return errNoGPU }

// Close does nothing.
func (*Thread) Close() {}

// DeviceMemory exists in builds with GPU support only.
type DeviceMemory struct{}

// Alloc fails: this build has no GPU support.
func (*Device) Alloc(int64, Purpose) (*DeviceMemory, error) { return nil, errNoGPU }

// Addr is zero.
func (*DeviceMemory) Addr() uint64 { return 0 }

// Len is zero.
func (*DeviceMemory) Len() int64 { return 0 }

// Free does nothing.
func (*DeviceMemory) Free() error { return nil }

// PinnedMemory exists in builds with GPU support only.
type PinnedMemory struct{}

// AllocPinned fails: this build has no GPU support.
func (*Device) AllocPinned(int64, Purpose) (*PinnedMemory, error) { return nil, errNoGPU }

// Register fails: this build has no GPU support.
func (*Device) Register([]byte, Purpose) (*PinnedMemory, error) { return nil, errNoGPU }

// Bytes is empty.
func (*PinnedMemory) Bytes() []byte { return nil }

// Part is empty.
func (*PinnedMemory) Part(_, _ int) Pinned { return Pinned{} }

// Free does nothing.
func (*PinnedMemory) Free() error { return nil }

// Stream exists in builds with GPU support only.
type Stream struct{}

// NewStream fails: this build has no GPU support.
func (*Device) NewStream() (*Stream, error) { return nil, errNoGPU }

// Handle is zero.
func (*Stream) Handle() uintptr { return 0 }

// Wait fails: this build has no GPU support.
func (*Stream) Wait(*Event) error { return errNoGPU }

// Synchronize fails: this build has no GPU support.
func (*Stream) Synchronize() error { return errNoGPU }

// Destroy does nothing.
func (*Stream) Destroy() error { return nil }

// CopyIn fails: this build has no GPU support.
func (*Stream) CopyIn(*DeviceMemory, int64, Pinned) error { return errNoGPU }

// CopyOut fails: this build has no GPU support.
func (*Stream) CopyOut(Pinned, *DeviceMemory, int64) error { return errNoGPU }

// HostFunc fails: this build has no GPU support.
func (*Stream) HostFunc(_, _ unsafe.Pointer) error { return errNoGPU }

// Event exists in builds with GPU support only.
type Event struct{}

// NewEvent fails: this build has no GPU support.
func (*Device) NewEvent(bool) (*Event, error) { return nil, errNoGPU }

// Record fails: this build has no GPU support.
func (*Event) Record(*Stream) error { return errNoGPU }

// Synchronize fails: this build has no GPU support.
func (*Event) Synchronize() error { return errNoGPU }

// Done fails: this build has no GPU support.
func (*Event) Done() (bool, error) { return false, errNoGPU }

// Since fails: this build has no GPU support.
func (*Event) Since(*Event) (time.Duration, error) { return 0, errNoGPU }

// Destroy does nothing.
func (*Event) Destroy() error { return nil }

// Module exists in builds with GPU support only.
type Module struct{}

// LoadModule fails: this build has no GPU support.
func (*Device) LoadModule(string) (*Module, error) { return nil, errNoGPU }

// Kernel fails: this build has no GPU support.
func (*Module) Kernel(string) (*Kernel, error) { return nil, errNoGPU }

// Unload does nothing.
func (*Module) Unload() error { return nil }

// Kernel exists in builds with GPU support only.
type Kernel struct{}

// Launch fails: this build has no GPU support.
func (*Kernel) Launch(_ *Stream, _, _ Dim, _ int, _ ...uint64) error { return errNoGPU }
