//go:build cgo && linux

package cudasim

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestOneCallFails(t *testing.T) {
	m := start(t, 2)
	m.sim.Fail(Fault{Device: 0, Call: "cuMemAlloc_v2", At: 2, Code: outOfMemory, Times: 2})
	a := m.alloc(100)
	m.gives(outOfMemory, "cuMemAlloc_v2", m.scratch, 100)
	m.use(1)
	b := m.alloc(100)
	m.free("cuMemFree_v2", b)
	m.use(0)
	m.gives(outOfMemory, "cuMemAlloc_v2", m.scratch, 100)
	m.free("cuMemFree_v2", a, m.alloc(100))
}

// TestLostDevice: every call gives the code, and what is freed is still struck off the books.
func TestLostDevice(t *testing.T) {
	m := start(t, 2)
	s, e := m.stream(), m.event()
	a, h := m.alloc(bytes), m.pinned(bytes)
	p := heap(bytes)
	m.must("cuMemHostRegister_v2", p, bytes, portable)
	fn, data := twice(a, a, n, false)
	m.sim.Fail(Fault{Device: 0, Call: "*", At: 2, Code: unknown})
	m.in(a, h, bytes, s)
	m.gives(unknown, "cuLaunchHostFunc", s, fn, data)
	m.gives(unknown, "cuEventRecord", e, s)
	m.gives(unknown, "cuStreamSynchronize", s)
	m.gives(unknown, "cuMemAlloc_v2", m.scratch, 8)
	m.gives(unknown, "cuDevicePrimaryCtxRetain", m.scratch, 0)
	for _, give := range []struct {
		call   string
		handle uintptr
	}{{"cuStreamDestroy_v2", s}, {"cuEventDestroy_v2", e}, {"cuMemFree_v2", a}, {"cuMemFreeHost", h}, {"cuMemHostUnregister", p}} {
		m.gives(unknown, give.call, give.handle)
	}
	m.use(1) // the other one is well
	m.free("cuMemFree_v2", m.alloc(100))
	if ran(data) != 0 {
		t.Error("the host function of a call that failed ran")
	}
	m.gives(unknown, "cuDevicePrimaryCtxRelease_v2", 0)
	m.retained = []int{1}
}

// TestFailedLaunch shows at the next synchronisation, stays until the context is released, and stops what is behind it.
func TestFailedLaunch(t *testing.T) {
	m := start(t, 1)
	s := m.stream()
	a := m.alloc(bytes)
	module := m.made("cuModuleLoadData", cString(ptx))
	add := m.made("cuModuleGetFunction", module, cString("sim_add"))
	m.must("cuMemsetD8Async", a, 0, bytes, s)
	m.sim.Fail(Fault{Device: -1, Call: "launch", At: 2, Code: launchFailed})
	m.launch(add, s, 1, 32, a, a, n, 1)
	m.sync(s)
	m.launch(add, s, 1, 32, a, a, n, 1)
	m.sim.Settle()
	fn, data := twice(a, a, n, false)
	if code := raw("cuLaunchHostFunc", s, fn, data); code != launchFailed {
		t.Errorf("a call behind the failure gives %d", code)
	}
	m.gives(launchFailed, "cuStreamSynchronize", s)
	m.gives(launchFailed, "cuCtxSynchronize")
	m.gives(launchFailed, "cuMemFree_v2", a)
	m.gives(launchFailed, "cuStreamDestroy_v2", s)
	if ran(data) != 0 {
		t.Error("a host function ran behind the failure")
	}
	m.gives(launchFailed, "cuModuleUnload", module)
	m.must("cuDevicePrimaryCtxRelease_v2", 0)
	m.retained = nil
	m.use(0) // a fresh context works again
	m.free("cuMemFree_v2", m.alloc(8))
}

func TestFailedCopyAndHostFunction(t *testing.T) {
	for _, category := range []string{"copy", "hostfunc"} {
		t.Run(category, func(t *testing.T) {
			m := start(t, 1)
			s := m.stream()
			a, h := m.alloc(bytes), m.pinned(bytes)
			m.sim.Fail(Fault{Call: category, At: 1, Code: illegalAddress})
			fn, data := twice(a, a, n, false)
			if category == "copy" {
				m.in(a, h, bytes, s)
			} else {
				m.must("cuLaunchHostFunc", s, fn, data)
			}
			m.gives(illegalAddress, "cuStreamSynchronize", s)
			m.gives(illegalAddress, "cuMemFree_v2", a)
			m.gives(illegalAddress, "cuMemFreeHost", h)
			m.gives(illegalAddress, "cuStreamDestroy_v2", s)
		})
	}
}

// TestHang: who waits for it blocks, its device's memory is counted apart, others work, and the release lets it go on.
func TestHang(t *testing.T) {
	m := start(t, 2)
	s := m.stream()
	a := m.alloc(bytes)
	m.must("cuMemsetD8Async", a, 0, bytes, s)
	fn, data := twice(a, a, n, true)
	m.sim.Hang(0, 2)
	m.must("cuLaunchHostFunc", s, fn, data)
	m.must("cuLaunchHostFunc", s, fn, data)
	until(t, "hang", func() bool { return m.sim.Counters().HungBytes == bytes })
	if c := m.sim.Counters(); c.DeviceBytes != 0 || c.Streams != 0 || c.HungObjects != 2 || ran(data) != 1 || m.sim.Settle() {
		t.Errorf("%+v, the host function ran %d times", c, ran(data))
	}
	m.gives(notReady, "cuStreamQuery", s)
	done := waitElsewhere(m, 0, "cuStreamSynchronize", s)
	m.use(1)
	b := m.alloc(8)
	m.free("cuMemFree_v2", b)
	select {
	case code := <-done:
		t.Fatalf("the wait for what hangs ended with %d", code)
	case <-time.After(20 * time.Millisecond):
	}
	m.sim.Release()
	if code := <-done; code != ok || ran(data) != 2 {
		t.Errorf("after the release: code %d, ran %d times", code, ran(data))
	}
	m.use(0)
	m.free("cuMemFree_v2", a)
	m.free("cuStreamDestroy_v2", s)
}

// waitElsewhere calls on a thread of its own, in the context of a device.
func waitElsewhere(m *machine, device int, call string, args ...uintptr) <-chan int {
	m.use(device)
	m.must("cuCtxGetCurrent", m.scratch)
	ctx := wordsAt(m.scratch, 1)[0]
	done, before := make(chan int, 1), m.sim.Calls(call)
	go func() {
		runtime.LockOSThread()
		raw("cuCtxSetCurrent", ctx)
		done <- raw(call, args...)
	}()
	until(m.T, call, func() bool { return m.sim.Calls(call) > before })
	return done
}

// TestLostWhileItHangs: the loss of the device ends the wait.
func TestLostWhileItHangs(t *testing.T) {
	m := start(t, 1)
	s := m.stream()
	fn, data := twice(0, 0, 0, false)
	m.sim.Hang(0, 1)
	m.must("cuLaunchHostFunc", s, fn, data)
	done := waitElsewhere(m, 0, "cuStreamSynchronize", s)
	until(t, "hang", func() bool { return m.sim.Counters().HungObjects > 0 })
	m.sim.Fail(Fault{Call: "cuMemGetInfo_v2", At: 1, Code: unknown})
	m.gives(unknown, "cuMemGetInfo_v2", m.scratch, m.scratch)
	if code := <-done; code != unknown || ran(data) != 0 {
		t.Errorf("code %d, the host function ran %d times", code, ran(data))
	}
	m.gives(unknown, "cuStreamDestroy_v2", s)
}

// TestResetWhileItHangs: threads that wait come back with an error, late calls of the old machine's threads do no harm, and
// what hung is not told as left over.
func TestResetWhileItHangs(t *testing.T) {
	m := start(t, 1)
	s := m.stream()
	a, h := m.alloc(bytes), m.pinned(bytes)
	fn, data := twice(a, a, n, false)
	m.sim.Hang(0, 1)
	m.must("cuLaunchHostFunc", s, fn, data)
	done := waitElsewhere(m, 0, "cuStreamSynchronize", s)
	until(t, "hang", func() bool { return m.sim.Counters().HungBytes > 0 })
	m.sim.Reset(1)
	if code := <-done; code != destroyed {
		t.Errorf("the wait ended with code %d", code)
	}
	m.gives(destroyed, "cuMemFree_v2", a)
	m.gives(destroyed, "cuStreamDestroy_v2", s)
	m.violated(0)
	bytesAt(h, 1)[0]++ // late users of its memory don't fault
	m.sim.Release()
	if ran(data) != 0 {
		t.Error("what hung ran in a machine that is gone")
	}
	m.retained = nil
	m.use(0)
	m.free("cuMemFree_v2", m.alloc(8))
}

// recorder takes the errors of a test that is meant to fail.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, strings.TrimSpace(format))
	for _, a := range args {
		if s, is := a.(string); is {
			r.errors = append(r.errors, s)
		}
	}
}

func TestLeftoversAreTold(t *testing.T) {
	m := start(t, 1)
	m.alloc(100)
	m.pinned(200)
	m.must("cuMemHostRegister_v2", heap(300), 300, portable)
	m.stream()
	m.event()
	m.made("cuModuleLoadData", cString(ptx))
	want := Counters{DeviceBytes: 100, PinnedBytes: 200, RegisteredBytes: 300, Streams: 1, Events: 1, Modules: 1, Contexts: 1}
	got := m.sim.Counters()
	if got.Calls == 0 || got.Calls != m.sim.DriverCalls() || m.sim.Calls("cuEventCreate") == 0 {
		t.Errorf("calls are not counted: %+v", got)
	}
	if got.Calls = 0; got != want || !got.Left() {
		t.Errorf("%+v, want %+v", got, want)
	}
	r := &recorder{TB: t}
	told := &Sim{r}
	told.Check()
	told.Reset(1)
	if text := strings.Join(r.errors, "; "); len(r.errors) < 3 || !strings.Contains(text, "100 bytes of device memory, 200 bytes of pinned memory, 300 registered bytes, 1 streams, 1 events, 1 modules, 1 contexts") {
		t.Errorf("told: %q", text)
	}
	m.retained = nil
}

// TestContextIsReleasedEmpty: the driver takes silently what is left in it.
func TestContextIsReleasedEmpty(t *testing.T) {
	m := start(t, 1)
	m.alloc(100)
	m.stream()
	m.must("cuDevicePrimaryCtxRelease_v2", 0)
	m.violated(1, "released with 100 bytes, 1 streams, 0 events and 0 modules")
	m.gives(destroyed, "cuMemAlloc_v2", m.scratch, 8)
	m.violated(1, "was released")
	m.retained = nil
}

func TestObjectsThatAreGone(t *testing.T) {
	m := start(t, 1)
	s, e := m.stream(), m.event()
	m.free("cuStreamDestroy_v2", s)
	m.free("cuEventDestroy_v2", e)
	m.gives(invalidHandle, "cuStreamSynchronize", s)
	m.violated(1, "was destroyed")
	m.gives(invalidHandle, "cuStreamDestroy_v2", s)
	m.violated(1, "was destroyed")
	m.gives(invalidHandle, "cuEventRecord", e, 0)
	m.violated(1, "was destroyed")
	m.gives(invalidHandle, "cuEventSynchronize", 12345)
	m.violated(1, "no such event")
	m.must("cuCtxSetCurrent", 0)
	m.gives(invalidContext, "cuMemAlloc_v2", m.scratch, 8)
	m.violated(1, "no context is current")
	m.gives(invalidContext, "cuCtxSetCurrent", 777)
	m.violated(1, "no such context")
	m.use(0)
	m.sim.SlowCopies(20 * time.Millisecond)
	a, h, busy := m.alloc(8), m.pinned(8), m.stream()
	m.in(a, h, 8, busy)
	m.free("cuStreamDestroy_v2", busy)
	m.violated(1, "destroyed while it works")
	m.must("cuCtxSynchronize")
	m.free("cuMemFree_v2", a)
	m.free("cuMemFreeHost", h)
}
