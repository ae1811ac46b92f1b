//go:build cgo && linux

package cudasim

import (
	"testing"
	"time"
)

const (
	n     = 1000
	bytes = 4 * n
)

// TestPipeline runs copies, a kernel and a host function over three streams with all the events that they need, late and
// not, and nothing is complained about.
func TestPipeline(t *testing.T) {
	for _, lag := range []time.Duration{0, 2 * time.Millisecond} {
		t.Run(lag.String(), func(t *testing.T) {
			m := start(t, 1)
			m.sim.Lag(lag)
			pipeline(m)
			m.violated(0)
		})
	}
}

func pipeline(m *machine) {
	in, compute, out := m.stream(), m.stream(), m.stream()
	a, b, c := m.alloc(bytes), m.alloc(bytes), m.alloc(bytes)
	src, dst := m.pinned(bytes), m.pinned(bytes)
	add := m.kernel("sim_add")
	for round := range 5 {
		fill(src, n, float32(round))
		m.in(a, src, bytes, in)
		m.after(compute, in)
		m.launch(add, compute, 2, 64, b, a, n, 3)
		fn, data := twice(c, b, n, true)
		m.must("cuLaunchHostFunc", compute, fn, data)
		m.after(out, compute)
		m.out(dst, c, bytes, out)
		m.sync(out)
		touched(dst, bytes, src, bytes)
		for i, v := range floatsAt(dst, n) {
			if want := 2 * (float32(round) + float32(i) + 3); v != want {
				m.Fatalf("round %d: %d is %v, want %v", round, i, v, want)
			}
		}
	}
	m.free("cuMemFree_v2", a, b, c)
	m.free("cuMemFreeHost", src, dst)
	m.free("cuStreamDestroy_v2", in, compute, out)
}

// TestMissingOrder leaves out one thing at a time of a pipeline of two streams.
func TestMissingOrder(t *testing.T) {
	const none, event, back, wait, copyIn, beforeReuse, beforeRead = "", "event", "event back", "wait", "copy", "wait before reuse", "wait before reading"
	for _, missing := range []string{none, event, back, copyIn, beforeReuse, beforeRead} {
		t.Run(missing, func(t *testing.T) {
			m := start(t, 1)
			m.sim.Lag(5 * time.Millisecond)
			one, two := m.stream(), m.stream()
			a, b := m.alloc(bytes), m.alloc(bytes)
			src, dst := m.pinned(bytes), m.pinned(bytes)
			add := m.kernel("sim_add")
			fill(src, n, 1)
			if missing != copyIn {
				m.in(a, src, bytes, one)
			}
			if missing != event {
				m.after(two, one)
			}
			m.launch(add, two, 2, 64, b, a, n, 1)
			if missing != back {
				m.after(one, two) // the next batch's copy must not come before this batch's kernel
			}
			m.out(dst, b, bytes, two)
			if missing != beforeReuse {
				m.sync(one)
			}
			fill(src, n, 5)
			m.in(a, src, bytes, one)
			if missing == back {
				m.sync(one)
			}
			if missing != beforeRead {
				m.sync(two)
			}
			touched(dst, bytes, 0, 0)
			right := floatsAt(dst, n)[7] == 9
			m.sync(one)
			m.sync(two)
			if (missing == none) != (right && len(m.sim.Violations()) == 0) {
				t.Errorf("without the %s: right %v, violations %q", missing, right, m.sim.Violations())
			}
			for _, v := range m.sim.Violations() {
				t.Log(v)
			}
			m.sim.ClearViolations()
			m.free("cuMemFree_v2", a, b)
			m.free("cuMemFreeHost", src, dst)
			m.free("cuStreamDestroy_v2", one, two)
		})
	}
}

// TestRacesAreFoundWithoutLuck: the race is told from the order that was asked for, though nothing overlaps in time.
func TestRacesAreFoundWithoutLuck(t *testing.T) {
	m := start(t, 1)
	one, two := m.stream(), m.stream()
	a := m.alloc(bytes)
	src, dst := m.pinned(bytes), m.pinned(bytes)
	fill(src, n, 1)
	m.in(a, src, bytes, one)
	time.Sleep(20 * time.Millisecond) // it is long done
	m.out(dst, a, bytes, two)
	m.violated(1, "no event or synchronisation", "cuMemcpyDtoHAsync_v2", "cuMemcpyHtoDAsync_v2")
	m.sync(one)
	m.sync(two)

	m.out(dst, a, bytes/2, one) // two readers of one memory, writers of two halves
	m.out(dst+bytes/2, a, bytes/2, two)
	m.sync(one)
	m.sync(two)
	m.violated(0)

	m.in(a, src, bytes/2, one) // halves that overlap in one byte
	m.in(a+bytes/2-1, src, bytes/2, two)
	m.violated(1, "writes")
	m.sync(one)
	m.sync(two)

	fn, data := twice(a, a, n, true) // a host function says what it touches
	m.must("cuLaunchHostFunc", one, fn, data)
	m.out(dst, a, bytes, two)
	m.sync(one)
	m.sync(two)
	m.violated(1, "host function")
	m.free("cuMemFree_v2", a)
	m.free("cuMemFreeHost", src, dst)
	m.free("cuStreamDestroy_v2", one, two)
}

// TestWaitedForByPolling: what a query told to be done is as good as waited for; an event that was recorded again is not.
func TestWaitedForByPolling(t *testing.T) {
	m := start(t, 1)
	one, two := m.stream(), m.stream()
	a := m.alloc(bytes)
	src := m.pinned(bytes)
	e := m.event()
	fill(src, n, 1)
	m.in(a, src, bytes, one)
	m.must("cuEventRecord", e, one)
	until(t, "event", func() bool { return raw("cuEventQuery", e) == ok })
	m.in(a, src, bytes, two)
	m.violated(0)
	m.must("cuStreamWaitEvent", one, e, 0) // says nothing about stream two
	m.in(a, src, bytes, one)
	m.violated(1, "no event")
	until(t, "stream", func() bool { return raw("cuStreamQuery", one) == ok && raw("cuStreamQuery", two) == ok })
	m.free("cuEventDestroy_v2", e)
	m.free("cuMemFree_v2", a)
	m.free("cuMemFreeHost", src)
	m.free("cuStreamDestroy_v2", one, two)
}

// TestNullStream has the order that blocking streams share with the null stream and others don't.
func TestNullStream(t *testing.T) {
	m := start(t, 1)
	m.sim.Lag(2 * time.Millisecond)
	blocking, free := m.made("cuStreamCreate", 0), m.stream()
	a := m.alloc(bytes)
	src, dst := m.pinned(bytes), m.pinned(bytes)
	fill(src, n, 1)
	m.in(a, src, bytes, 0)
	m.out(dst, a, bytes, blocking)
	m.must("cuMemsetD8Async", a, 1, bytes, 0)
	m.violated(0)
	m.in(a, src, bytes, free)
	m.violated(1, "cuMemsetD8Async")
	m.sync(0)
	m.sync(free)
	if v := floatsAt(dst, n)[9]; v != 10 {
		t.Errorf("the copy out got %v", v)
	}
	m.free("cuMemFree_v2", a)
	m.free("cuMemFreeHost", src, dst)
	m.free("cuStreamDestroy_v2", blocking, free)
}

// TestSynchronousCopies: from page-locked memory they are waited for; from pageable memory the driver may return before
// the device has the bytes, which streams that don't wait for the null stream can see.
func TestSynchronousCopies(t *testing.T) {
	m := start(t, 1)
	s := m.stream()
	a := m.alloc(bytes)
	pageable, locked := heap(bytes), m.pinned(bytes)
	fill(locked, n, 1)
	m.must("cuMemcpyHtoD_v2", a, locked, bytes)
	m.out(locked, a, bytes, s)
	m.violated(0)
	m.sync(s)
	m.must("cuMemcpyHtoD_v2", a, pageable, bytes)
	m.out(locked, a, bytes, s)
	m.violated(1, "cuMemcpyHtoD_v2")
	m.sync(s)
	m.must("cuMemcpyHtoD_v2", a, pageable, bytes)
	m.sync(0)
	m.out(locked, a, bytes, s)
	m.violated(0)
	m.sync(s)
	m.must("cuMemcpyDtoH_v2", pageable, a, bytes)
	m.free("cuMemFree_v2", a)
	m.free("cuMemFreeHost", locked)
	m.free("cuStreamDestroy_v2", s)
}

func TestEventsKeepTime(t *testing.T) {
	m := start(t, 1)
	m.sim.SlowCopies(20 * time.Millisecond)
	s := m.stream()
	a, src := m.alloc(bytes), m.pinned(bytes)
	before, behind, untimed := m.event(), m.event(), m.made("cuEventCreate", noTiming)
	m.must("cuEventRecord", before, s)
	m.in(a, src, bytes, s)
	m.must("cuEventRecord", behind, s)
	m.gives(notReady, "cuEventQuery", behind)
	m.gives(notReady, "cuEventElapsedTime", m.scratch, before, behind)
	m.must("cuEventSynchronize", behind)
	m.must("cuEventElapsedTime", m.scratch, before, behind)
	if ms := floatsAt(m.scratch, 1)[0]; ms < 19 {
		t.Errorf("a slow copy took %v ms", ms)
	}
	m.must("cuEventRecord", untimed, s)
	m.must("cuEventSynchronize", untimed)
	m.gives(invalidHandle, "cuEventElapsedTime", m.scratch, before, untimed)
	m.violated(1, "does not keep time")
	m.free("cuEventDestroy_v2", before, behind, untimed)
	m.free("cuMemFree_v2", a)
	m.free("cuMemFreeHost", src)
	m.free("cuStreamDestroy_v2", s)
}
