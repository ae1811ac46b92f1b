//go:build cuda && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"sync"

	"gorgonia.org/cu"

	"github.com/imgvec/imgvec"
)

// DeviceMemory lies on the device. No Go or C code on the host can read it; streams copy it.
type DeviceMemory struct {
	device  *Device
	purpose Purpose

	mu   sync.Mutex
	addr cu.DevicePtr // 0 after Free
	len  int64
}

// Alloc allocates n bytes on the device, of unknown content. The caller owns and frees them. An error of a full device
// wraps imgvec.ErrOutOfMemory and says how much was needed and how much is free. Inside Do.
func (d *Device) Alloc(n int64, p Purpose) (*DeviceMemory, error) {
	addr, err := cu.MemAlloc(n)
	if err != nil {
		return nil, d.explainFull(n, p, d.wrap("cuMemAlloc", err))
	}
	d.held.add(p, n)
	return &DeviceMemory{device: d, purpose: p, addr: addr, len: n}, nil
}

// explainFull adds to an out-of-memory error what was needed and what is there.
func (d *Device) explainFull(n int64, p Purpose, err error) error {
	if !errors.Is(err, imgvec.ErrOutOfMemory) {
		return err
	}
	free, total, infoErr := cu.MemInfo()
	if infoErr != nil {
		return fmt.Errorf("%w (needed %s for %s)", err, size(n), p)
	}
	return fmt.Errorf("%w (needed %s for %s, free %s of %s)", err, size(n), p, size(free), size(total))
}

// Addr is the address on the device, 0 after Free.
func (m *DeviceMemory) Addr() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(m.addr)
}

// Len is the length in bytes, 0 after Free.
func (m *DeviceMemory) Len() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.len
}

// part is the address at an offset, for n bytes.
func (m *DeviceMemory) part(at int64, n int) cu.DevicePtr {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at < 0 || int64(n) > m.len-at {
		panic(fmt.Sprintf("imgvec: BUG: a copy of %d bytes at %d of %d bytes of device memory", n, at, m.len))
	}
	return m.addr + cu.DevicePtr(at)
}

// Free gives the memory back; the driver waits for work that uses it. On a lost device it is counted as given back.
// Idempotent and nil-safe. Inside Do.
func (m *DeviceMemory) Free() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	addr, n := m.addr, m.len
	m.addr, m.len = 0, 0
	m.mu.Unlock()
	if addr == 0 {
		return nil
	}
	m.device.held.add(m.purpose, -n)
	return m.device.wrapUnlessLost("cuMemFree", cu.MemFree(addr))
}
