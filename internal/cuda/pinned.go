//go:build cuda && cgo && linux

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"sync"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/imgvec/imgvec/internal/nvidia"
)

// portable makes page-locked memory count as such for every device of the process. It is the driver's flag both of
// allocation and of registration.
const portable = 1

// PinnedMemory is page-locked host memory, which copies to and from every device run over without the processor.
type PinnedMemory struct {
	device  *Device
	purpose Purpose
	release func() error

	mu  sync.Mutex
	mem []byte // nil after Free
}

// AllocPinned allocates n bytes of page-locked host memory, of unknown content. The caller owns and frees them. The
// driver takes them from the host's memory; where it has none left the error wraps imgvec.ErrOutOfMemory. Inside Do.
func (d *Device) AllocPinned(n int64, p Purpose) (*PinnedMemory, error) {
	var memory unsafe.Pointer
	if code := C.cuMemHostAlloc(&memory, C.size_t(n), portable); code != 0 {
		return nil, d.wrapCode("cuMemHostAlloc", int(code))
	}
	d.held.add(p, n)
	release := func() error { return d.wrapUnlessLost("cuMemFreeHost", cu.MemFreeHost(memory)) }
	return &PinnedMemory{device: d, purpose: p, release: release, mem: unsafe.Slice((*byte)(memory), n)}, nil
}

// Register page-locks memory that the caller has: outside the Go heap, and alive until Free. Memory that this package
// registered before, for any device, is registered once and unlocked by the last Free. Memory of which a page is locked
// already, by something else or as part of another registration, is an error: whether all of it is locked is not known.
// Inside Do.
func (d *Device) Register(mem []byte, p Purpose) (*PinnedMemory, error) {
	if code := registrations.add(d.dev, mem); code != 0 {
		return nil, d.wrapCode("cuMemHostRegister", code)
	}
	d.held.add(p, int64(len(mem)))
	release := func() error {
		code := registrations.remove(mem)
		if nvidia.Lost(code) {
			return nil
		}
		return d.wrapCode("cuMemHostUnregister", code)
	}
	return &PinnedMemory{device: d, purpose: p, release: release, mem: mem}, nil
}

// Bytes is the memory, nil after Free.
func (m *PinnedMemory) Bytes() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mem
}

// Part is a view of n bytes at from, valid until Free.
func (m *PinnedMemory) Part(from, n int) Pinned {
	return Pinned{m.Bytes()[from : from+n : from+n]}
}

// Free frees or unlocks the memory. No copy may use it any more. On a lost device it is counted as given back.
// Idempotent and nil-safe. Inside Do.
func (m *PinnedMemory) Free() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	mem := m.mem
	m.mem = nil
	m.mu.Unlock()
	if mem == nil {
		return nil
	}
	m.device.held.add(m.purpose, -int64(len(mem)))
	return m.release()
}

// registrations are the process's: the driver refuses to register a page twice, and portable memory serves all devices.
var registrations registry

type registry struct {
	mu   sync.Mutex
	uses map[registration]*uses
}

type registration struct {
	start *byte
	len   int
}

// uses of one registration. It belongs to the context of the device that made it and ends with that, so that context is
// retained for it: a device may be closed before the others that use the memory.
type uses struct {
	owner cu.Device
	count int
}

// add registers mem or counts one more use of it.
func (r *registry) add(d cu.Device, mem []byte) (code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := registration{unsafe.SliceData(mem), len(mem)}
	if known := r.uses[key]; known != nil {
		known.count++
		return 0
	}
	if code := int(C.cuMemHostRegister_v2(unsafe.Pointer(key.start), C.size_t(key.len), portable)); code != 0 {
		return code
	}
	if _, err := d.RetainPrimaryCtx(); err != nil {
		C.cuMemHostUnregister(unsafe.Pointer(key.start))
		return codeOf(err)
	}
	if r.uses == nil {
		r.uses = map[registration]*uses{}
	}
	r.uses[key] = &uses{d, 1}
	return 0
}

// remove counts one use less and unregisters after the last.
func (r *registry) remove(mem []byte) (code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := registration{unsafe.SliceData(mem), len(mem)}
	known := r.uses[key]
	if known.count--; known.count > 0 {
		return 0
	}
	delete(r.uses, key)
	code = int(C.cuMemHostUnregister(unsafe.Pointer(key.start)))
	if released := codeOf(known.owner.ReleasePrimaryCtx()); code == 0 {
		code = released
	}
	return code
}
