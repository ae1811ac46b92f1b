//go:build cgo && linux

package cudasim

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// The driver's codes, flags and a module that has the tests' kernels.
const (
	ok = iota
	invalidValue
	outOfMemory
	noDevice          = 100
	invalidContext    = 201
	invalidHandle     = 400
	notFound          = 500
	notReady          = 600
	illegalAddress    = 700
	destroyed         = 709
	alreadyRegistered = 712
	notRegistered     = 713
	launchFailed      = 719
	unknown           = 999

	portable    = 1
	nonBlocking = 1
	noTiming    = 2

	ptx = ".version 8.0\n.target sm_52\n.visible .entry sim_add(\n.visible .entry sim_block_sum(\n" +
		".visible .entry sim_warp_sum(\n.visible .entry sim_divergent(\n.visible .entry sim_overrun(\n"
)

// machine is a test's simulated machine, on the test's thread.
type machine struct {
	*testing.T
	sim      *Sim
	scratch  uintptr // where calls put what they make
	retained []int   // devices whose contexts are
}

// start gives a machine with so many devices and makes the first one's context current. At the end nothing may be left
// and no violation unread.
func start(t *testing.T, devices int) *machine {
	t.Helper()
	m := &machine{T: t, sim: Load(t), scratch: heap(64)}
	runtime.LockOSThread()
	m.sim.Reset(devices)
	m.must("cuInit", 0)
	m.use(0)
	t.Cleanup(func() {
		raw("cuCtxSetCurrent", 0)
		for _, device := range m.retained {
			raw("cuDevicePrimaryCtxRelease_v2", uintptr(device))
		}
		m.sim.Check()
		runtime.UnlockOSThread()
	})
	return m
}

func (m *machine) must(name string, args ...uintptr) {
	m.Helper()
	m.gives(ok, name, args...)
}

func (m *machine) gives(want int, name string, args ...uintptr) {
	m.Helper()
	if code := raw(name, args...); code != want {
		m.Fatalf("%s: code %d, want %d; violations: %q", name, code, want, m.sim.Violations())
	}
}

// made calls a function whose first parameter takes what it makes.
func (m *machine) made(name string, args ...uintptr) uintptr {
	m.Helper()
	m.must(name, append([]uintptr{m.scratch}, args...)...)
	return wordsAt(m.scratch, 1)[0]
}

// use makes a device's primary context current.
func (m *machine) use(device int) {
	m.Helper()
	m.must("cuCtxSetCurrent", m.made("cuDevicePrimaryCtxRetain", uintptr(device)))
	m.retained = append(m.retained, device)
}

func (m *machine) alloc(n int) uintptr { m.Helper(); return m.made("cuMemAlloc_v2", uintptr(n)) }
func (m *machine) pinned(n int) uintptr {
	m.Helper()
	return m.made("cuMemHostAlloc", uintptr(n), portable)
}
func (m *machine) stream() uintptr        { m.Helper(); return m.made("cuStreamCreate", nonBlocking) }
func (m *machine) event() uintptr         { m.Helper(); return m.made("cuEventCreate", 0) }
func (m *machine) in(d, h, n, s uintptr)  { m.Helper(); m.must("cuMemcpyHtoDAsync_v2", d, h, n, s) }
func (m *machine) out(h, d, n, s uintptr) { m.Helper(); m.must("cuMemcpyDtoHAsync_v2", h, d, n, s) }
func (m *machine) sync(s uintptr)         { m.Helper(); m.must("cuStreamSynchronize", s) }

// after makes what follows on stream s wait for what is on stream first.
func (m *machine) after(s, first uintptr) {
	m.Helper()
	e := m.event()
	m.must("cuEventRecord", e, first)
	m.must("cuStreamWaitEvent", s, e, 0)
	m.must("cuEventDestroy_v2", e)
}

func (m *machine) kernel(name string) uintptr {
	m.Helper()
	module := m.made("cuModuleLoadData", cString(ptx))
	m.Cleanup(func() { raw("cuModuleUnload", module) })
	return m.made("cuModuleGetFunction", module, cString(name))
}

func (m *machine) launch(kernel, s uintptr, grid, block int, params ...uintptr) {
	m.Helper()
	m.must("cuLaunchKernel", launchArgs(kernel, s, grid, block, params...)...)
}

func launchArgs(kernel, s uintptr, grid, block int, params ...uintptr) []uintptr {
	values, list := heap(8*len(params)), heap(8*len(params))
	copy(wordsAt(values, len(params)), params)
	for i := range params {
		wordsAt(list, len(params))[i] = values + uintptr(8*i)
	}
	return []uintptr{kernel, uintptr(grid), 1, 1, uintptr(block), 1, 1, 1024, s, list, 0}
}

func (m *machine) free(call string, handles ...uintptr) {
	m.Helper()
	for _, h := range handles {
		m.must(call, h)
	}
}

// violated takes the violations, of which there must be want, and looks for words in the first.
func (m *machine) violated(want int, words ...string) {
	m.Helper()
	all := m.sim.Violations()
	m.sim.ClearViolations()
	if len(all) != want {
		m.Fatalf("%d violations, want %d: %q", len(all), want, all)
	}
	for _, w := range words {
		if !strings.Contains(all[0], w) {
			m.Errorf("violation %q does not name %q", all[0], w)
		}
	}
}

func cString(s string) uintptr {
	p := heap(len(s) + 1)
	copy(bytesAt(p, len(s)), s)
	return p
}

func fill(p uintptr, n int, first float32) {
	for i, f := 0, floatsAt(p, n); i < n; i++ {
		f[i] = first + float32(i)
	}
}

// until waits for what another thread does.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not happen", what)
		}
	}
}
