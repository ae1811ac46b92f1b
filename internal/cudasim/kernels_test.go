//go:build cgo && linux

package cudasim

import (
	"strings"
	"testing"
	"time"
)

// TestKernelsWithBarriers sums blocks by shared memory and by shuffles, on fibers.
func TestKernelsWithBarriers(t *testing.T) {
	m := start(t, 1)
	s := m.stream()
	a, b, src, dst := m.alloc(bytes), m.alloc(64), m.pinned(bytes), m.pinned(64)
	fill(src, n, 1)
	for _, name := range []string{"sim_block_sum", "sim_warp_sum"} {
		k := m.kernel(name)
		for range 3 {
			m.in(a, src, bytes, s)
			m.launch(k, s, 4, 256, b, a, n)
			m.out(dst, b, 16, s)
			m.sync(s)
			for i, got := range floatsAt(dst, 4) {
				first, last := 256*i+1, min(256*i+256, n)
				if want := float32(first+last) * float32(last-first+1) / 2; got != want {
					t.Errorf("%s: block %d: %v, want %v", name, i, got, want)
				}
			}
		}
	}
	m.free("cuMemFree_v2", a, b)
	m.free("cuMemFreeHost", src, dst)
	m.free("cuStreamDestroy_v2", s)
}

// failing launches what must end the context with a code, and gives the machine for the violation.
func failing(t *testing.T, code int, kernel string, params func(m *machine, a uintptr) []uintptr, words ...string) {
	t.Helper()
	m := start(t, 2)
	s, k, a := m.stream(), m.kernel(kernel), m.alloc(256)
	m.must("cuMemsetD8Async", a, 0, 256, s)
	m.launch(k, s, 1, 64, params(m, a)...)
	m.gives(code, "cuStreamSynchronize", s)
	m.violated(1, words...)
	m.gives(code, "cuMemFree_v2", a)
	m.gives(code, "cuStreamDestroy_v2", s)
}

func TestKernelsThatGoWrong(t *testing.T) {
	t.Run("barrier", func(t *testing.T) {
		failing(t, launchFailed, "sim_divergent", func(_ *machine, a uintptr) []uintptr { return []uintptr{a} }, "sim_divergent", "barrier")
	})
	t.Run("far behind the end", func(t *testing.T) {
		failing(t, illegalAddress, "sim_overrun", func(_ *machine, a uintptr) []uintptr { return []uintptr{a, 64, 1} },
			"sim_overrun", "bad address", " 0 bytes behind the end of device memory")
	})
	t.Run("freed", func(t *testing.T) {
		failing(t, illegalAddress, "sim_add", func(m *machine, a uintptr) []uintptr {
			gone := m.alloc(256)
			m.free("cuMemFree_v2", gone)
			return []uintptr{a, gone, 8, 1}
		}, "sim_add", "parameter 1", "was freed")
	})
	t.Run("pageable", func(t *testing.T) {
		failing(t, illegalAddress, "sim_add", func(_ *machine, a uintptr) []uintptr { return []uintptr{heap(8), a, 8, 1} }, "parameter 0", "no memory of the device")
	})
	t.Run("other device", func(t *testing.T) {
		failing(t, illegalAddress, "sim_add", func(m *machine, a uintptr) []uintptr {
			m.use(1)
			foreign := m.alloc(256)
			m.Cleanup(func() {
				m.use(1)
				m.free("cuMemFree_v2", foreign)
			})
			m.use(0)
			return []uintptr{a, foreign, 8, 1}
		}, "parameter 1", "cuda:1", "not of its context")
	})
}

// TestFaultsOfTheProgramAreItsOwn: the handler that kernels need leaves Go's panics as they are.
func TestFaultsOfTheProgramAreItsOwn(t *testing.T) {
	failing(t, illegalAddress, "sim_overrun", func(_ *machine, a uintptr) []uintptr { return []uintptr{a, 64, 1} }, "bad address")
	defer func() {
		if err, is := recover().(error); !is || !strings.Contains(err.Error(), "nil pointer") {
			t.Errorf("recovered %v", err)
		}
	}()
	machines := map[string]*machine{}
	machines["nobody"].sim = nil
}

func TestWritesBeyondTheEnd(t *testing.T) {
	m := start(t, 1)
	s, a := m.stream(), m.alloc(100)
	m.launch(m.kernel("sim_overrun"), s, 1, 32, a, 25, 1)
	m.sync(s)
	m.free("cuMemFree_v2", a)
	m.violated(1, "beyond the ends of device memory")
	m.free("cuStreamDestroy_v2", s)
}

func TestModules(t *testing.T) {
	m := start(t, 1)
	m.gives(218, "cuModuleLoadData", m.scratch, cString("no PTX"))
	m.gives(222, "cuModuleLoadData", m.scratch, cString(".version 9.1\n"))
	m.gives(209, "cuModuleLoadData", m.scratch, cString(".version 8.0\n.target sm_100\n"))
	module := m.made("cuModuleLoadData", cString(".version 8.0\n.target sm_52\n.visible .entry sim_add_more(\n"))
	m.gives(notFound, "cuModuleGetFunction", m.scratch, module, cString("sim_add")) // the PTX lacks it
	m.gives(notFound, "cuModuleGetFunction", m.scratch, module, cString("sim_add_more"))
	m.free("cuModuleUnload", module)
	m.gives(invalidHandle, "cuModuleUnload", module)
	m.violated(1, "was unloaded")

	m.sim.Lag(20 * time.Millisecond)
	s, a := m.stream(), m.alloc(256)
	module = m.made("cuModuleLoadData", cString(ptx))
	k := m.made("cuModuleGetFunction", module, cString("sim_add"))
	m.must("cuMemsetD8Async", a, 0, 256, s)
	m.launch(k, s, 1, 32, a, a, 8, 1)
	m.free("cuModuleUnload", module)
	m.violated(1, "have not run yet")
	m.gives(invalidHandle, "cuLaunchKernel", launchArgs(k, s, 1, 32, a, a, 8, 1)...)
	m.violated(1, "its module was unloaded")
	m.sync(s)
	k = m.kernel("sim_add")
	m.gives(invalidValue, "cuLaunchKernel", launchArgs(k, s, 0, 32, a, a, 8, 1)...)
	m.violated(1, "cannot be launched")
	m.gives(invalidValue, "cuLaunchKernel", launchArgs(k, s, 1, 1025, a, a, 8, 1)...)
	m.violated(1, "cannot be launched")
	m.free("cuMemFree_v2", a)
	m.free("cuStreamDestroy_v2", s)
}
