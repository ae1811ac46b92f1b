package kernelrun

import (
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/cuda"
	"github.com/imgvec/imgvec/internal/cudasim"
)

// Machine is a device with the kernels loaded. A call that fails ends the test; what the test put there is freed at its end.
type Machine struct {
	Grid int // blocks of each launch; 0: as csrc.Grid says

	t       testing.TB
	device  *cuda.Device
	thread  *cuda.Thread
	stream  *cuda.Stream
	module  *cuda.Module
	kernels map[string]*cuda.Kernel
	held    []*cuda.DeviceMemory
}

// New makes the machine of a test. Where there is no simulated driver the test ends as cudasim.Load says.
func New(t testing.TB) *Machine {
	t.Helper()
	if !slices.Contains(strings.Split(os.Getenv("IMGVEC_REQUIRE"), ","), "gpu") {
		sim := cudasim.Load(t)
		sim.Reset(1)
		t.Cleanup(sim.Check)
	}
	device, err := cuda.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	m := &Machine{t: t, device: device, kernels: map[string]*cuda.Kernel{}}
	if m.thread, err = device.NewThread(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.close)
	m.do(func() error {
		if m.stream, err = device.NewStream(); err != nil {
			return err
		}
		m.module, err = device.LoadModule(csrc.PTX)
		return err
	})
	return m
}

func (m *Machine) do(f func() error) {
	m.t.Helper()
	if err := m.thread.Do(f); err != nil {
		m.t.Fatal(err)
	}
}

// Put copies data to new memory of the device and tells its address, a multiple of 256.
func (m *Machine) Put(data []byte) uint64 {
	m.t.Helper()
	var memory *cuda.DeviceMemory
	m.do(func() (err error) {
		if memory, err = m.device.Alloc(int64(len(data)), cuda.Pixels); err != nil {
			return err
		}
		m.held = append(m.held, memory)
		return m.staged(len(data), func(host *cuda.PinnedMemory) error {
			copy(host.Bytes(), data)
			return m.stream.CopyIn(memory, 0, host.Part(0, len(data)))
		})
	})
	return memory.Addr()
}

// Get copies the memory that Put made at the address back.
func (m *Machine) Get(addr uint64) []byte {
	m.t.Helper()
	for _, memory := range m.held {
		if memory.Addr() != addr {
			continue
		}
		data := make([]byte, memory.Len())
		m.do(func() error {
			return m.staged(len(data), func(host *cuda.PinnedMemory) error {
				if err := m.stream.CopyOut(host.Part(0, len(data)), memory, 0); err != nil {
					return err
				}
				if err := m.stream.Synchronize(); err != nil {
					return err
				}
				copy(data, host.Bytes())
				return nil
			})
		})
		return data
	}
	m.t.Fatalf("no memory at %#x", addr)
	return nil
}

// staged gives f pinned memory, and frees it when the stream is done with it.
func (m *Machine) staged(n int, f func(*cuda.PinnedMemory) error) error {
	host, err := m.device.AllocPinned(int64(n), cuda.Staging)
	if err != nil {
		return err
	}
	if err := f(host); err != nil {
		return err
	}
	if err := m.stream.Synchronize(); err != nil {
		return err
	}
	return host.Free()
}

// Run launches a kernel and waits for its end.
func (m *Machine) Run(l csrc.Launch) {
	m.t.Helper()
	grid, block, shared := csrc.Grid(l.Kernel, l.Work, m.device.Info().SMs)
	if m.Grid > 0 {
		grid = m.Grid
	}
	m.do(func() (err error) {
		k := m.kernels[l.Kernel]
		if k == nil {
			if k, err = m.module.Kernel(l.Kernel); err != nil {
				return err
			}
			m.kernels[l.Kernel] = k
		}
		if err := k.Launch(m.stream, cuda.Dim{X: grid}, cuda.Dim{X: block}, shared, l.Args...); err != nil {
			return err
		}
		return m.stream.Synchronize()
	})
}

// Free frees all that Put made.
func (m *Machine) Free() {
	m.t.Helper()
	m.do(func() error {
		for _, memory := range m.held {
			if err := memory.Free(); err != nil {
				return err
			}
		}
		m.held = nil
		return nil
	})
}

func (m *Machine) close() {
	m.Free()
	m.do(func() error {
		if err := m.module.Unload(); err != nil {
			return err
		}
		return m.stream.Destroy()
	})
	m.thread.Close()
	if err := m.device.Close(); err != nil {
		m.t.Error(err)
	}
}

// Bytes are the bytes of a slice's elements, in the machine's order. They share its memory.
func Bytes[T float32 | uint64 | uint32 | uint16 | uint8](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}
