//go:build cgo && linux

package cudasim

import (
	"testing"
	"time"
)

// TestAsynchronousCopiesNeedPageLockedMemory has what a real driver takes silently, making the copy synchronous, and what
// it does not take at all.
func TestAsynchronousCopiesNeedPageLockedMemory(t *testing.T) {
	m := start(t, 2)
	s := m.stream()
	a := m.alloc(bytes)
	pageable, locked := heap(bytes), m.pinned(bytes)
	m.gives(invalidValue, "cuMemcpyHtoDAsync_v2", a, pageable, bytes, s)
	m.violated(1, "not page-locked")
	m.gives(invalidValue, "cuMemcpyDtoHAsync_v2", pageable, a, bytes, s)
	m.violated(1, "not page-locked")
	m.gives(invalidValue, "cuMemcpyHtoDAsync_v2", a, locked+8, bytes, s)
	m.violated(1, "go beyond")
	m.gives(invalidValue, "cuMemcpyHtoDAsync_v2", a+8, locked, bytes, s)
	m.violated(1, "go beyond device memory")
	m.gives(invalidValue, "cuMemcpyHtoDAsync_v2", locked, locked, bytes, s)
	m.violated(1, "is no device memory")

	m.must("cuMemHostRegister_v2", pageable, bytes, portable)
	m.in(a, pageable, bytes, s)
	m.sync(s)
	m.must("cuMemHostUnregister", pageable)
	m.gives(invalidValue, "cuMemcpyHtoDAsync_v2", a, pageable, bytes, s)
	m.violated(1, "not page-locked")

	own := m.made("cuMemHostAlloc", bytes, 0) // not portable
	m.use(1)
	b, s1 := m.alloc(bytes), m.stream()
	m.in(b, locked, bytes, s1)
	m.sync(s1)
	m.gives(invalidValue, "cuMemcpyHtoDAsync_v2", b, own, bytes, s1)
	m.violated(1, "not made portable")
	m.gives(invalidValue, "cuMemcpyHtoDAsync_v2", a, locked, bytes, s1)
	m.violated(1, "belongs to another context")
	m.gives(invalidHandle, "cuMemcpyHtoDAsync_v2", b, locked, bytes, s)
	m.violated(1, "belongs to another context")
	m.free("cuMemFree_v2", b)
	m.free("cuStreamDestroy_v2", s1)
	m.use(0)
	m.free("cuMemFree_v2", a)
	m.free("cuMemFreeHost", own, locked)
	m.free("cuStreamDestroy_v2", s)
}

func TestRegistration(t *testing.T) {
	m := start(t, 2)
	p := heap(3 * bytes)
	m.must("cuMemHostRegister_v2", p, bytes, portable)
	m.gives(alreadyRegistered, "cuMemHostRegister_v2", p, bytes, portable)
	m.use(1)
	m.gives(alreadyRegistered, "cuMemHostRegister_v2", p+bytes-1, bytes, portable)
	m.must("cuMemHostRegister_v2", p+bytes, bytes, portable)
	if c := m.sim.Counters(); c.RegisteredBytes != 2*bytes {
		t.Errorf("%+v", c)
	}
	m.must("cuMemHostUnregister", p)
	m.gives(notRegistered, "cuMemHostUnregister", p)
	m.violated(1, "no such memory")
	m.must("cuMemHostUnregister", p+bytes)
	m.gives(invalidValue, "cuMemHostRegister_v2", 4096, bytes, portable)
	m.violated(1, "are not memory")

	const readOnly = 8
	a, s := m.alloc(bytes), m.stream()
	m.must("cuMemHostRegister_v2", p, bytes, portable|readOnly)
	m.in(a, p, bytes, s)
	m.gives(invalidValue, "cuMemcpyDtoHAsync_v2", p, a, bytes, s)
	m.violated(1, "read only")
	m.sync(s)
	m.must("cuMemHostUnregister", p)
	m.free("cuMemFree_v2", a)
	m.free("cuStreamDestroy_v2", s)
}

func TestMemoryIsPoisonedAndGuarded(t *testing.T) {
	m := start(t, 1)
	s := m.stream()
	a, h := m.alloc(1000), m.pinned(4096)
	if b := bytesAt(a, 1000); b[0] != 0xa5 || b[999] != 0xa5 || bytesAt(h, 1)[0] != 0xa5 {
		t.Error("fresh memory is not poisoned")
	}
	m.out(h, a, 1000, s)
	m.sync(s)
	m.violated(1, "nothing has written")
	m.must("cuMemsetD8Async", a, 0, 500, s)
	m.out(h, a, 1000, s)
	m.sync(s)
	m.violated(1, "from byte 500 on")
	m.must("cuMemsetD8Async", a+500, 0, 500, s)
	m.out(h, a, 1000, s)
	m.sync(s)
	m.violated(0)
	bytesAt(a, 1024)[1000] = 1 // into the tail that rounding leaves before the guard page
	m.must("cuMemFree_v2", a)
	m.violated(1, "beyond the ends")
	m.gives(invalidValue, "cuMemFree_v2", a)
	m.violated(1, "was freed before")
	m.gives(invalidValue, "cuMemcpyHtoDAsync_v2", a, h, 1000, s)
	m.violated(1, "was freed")
	m.free("cuMemFreeHost", h)
	m.gives(invalidValue, "cuMemFreeHost", h)
	m.violated(1, "was freed before")
	m.free("cuStreamDestroy_v2", s)
}

// TestCopiesHappenWhenTheirStreamComesToThem reads and writes too early, on purpose.
func TestCopiesHappenWhenTheirStreamComesToThem(t *testing.T) {
	m := start(t, 1)
	m.sim.Lag(time.Hour) // until somebody waits
	s := m.stream()
	a := m.alloc(bytes)
	src, dst := m.pinned(bytes), m.pinned(bytes)
	fill(src, n, 1)
	fill(dst, n, 1)
	m.in(a, src, bytes, s)
	m.out(dst, a, bytes, s)
	if bytesAt(dst, 1)[0] != 0xa5 {
		t.Error("the destination still looks as before: a reader that comes too early would not see it")
	}
	fill(src, n, 7)
	m.sync(s)
	if v := floatsAt(dst, 1)[0]; v != 7 {
		t.Errorf("the copy read its source when it was queued: %v", v)
	}
	m.violated(1, "changed the source")
	m.out(dst, a, bytes, s)
	floatsAt(dst, 1)[0] = 3
	m.sync(s)
	m.violated(1, "wrote to the destination")
	m.free("cuMemFree_v2", a)
	m.free("cuMemFreeHost", src, dst)
	m.free("cuStreamDestroy_v2", s)
}

// TestMemoryIsFreedAfterItsWork: the driver waits, but a program that relies on it is told so.
func TestMemoryIsFreedAfterItsWork(t *testing.T) {
	m := start(t, 1)
	m.sim.SlowCopies(5 * time.Millisecond)
	s := m.stream()
	a, b, src := m.alloc(bytes), m.alloc(bytes), m.pinned(bytes)
	m.in(a, src, bytes, s)
	m.must("cuMemFree_v2", a)
	m.violated(1, "nobody has waited for")
	m.in(b, src, bytes, s)
	m.must("cuMemFreeHost", src)
	m.violated(1, "nobody has waited for")
	m.sync(s)
	m.must("cuMemFree_v2", b)
	m.free("cuStreamDestroy_v2", s)
}

func TestSizesAndAddresses(t *testing.T) {
	m := start(t, 1)
	m.sim.Memory(1 << 20)
	m.gives(outOfMemory, "cuMemAlloc_v2", m.scratch, 1<<20+1)
	a := m.alloc(1 << 19)
	m.gives(outOfMemory, "cuMemAlloc_v2", m.scratch, 1<<19+1)
	m.must("cuMemGetInfo_v2", m.scratch, m.scratch+8)
	if w := wordsAt(m.scratch, 2); w[0] != 1<<19 || w[1] != 1<<20 {
		t.Errorf("memory: %d of %d free", w[0], w[1])
	}
	m.must("cuMemGetAddressRange_v2", m.scratch, m.scratch+8, a+77)
	if w := wordsAt(m.scratch, 2); w[0] != a || w[1] != 1<<19 {
		t.Errorf("range: %x of %d bytes, want %x", w[0], w[1], a)
	}
	h := m.pinned(100)
	for p, want := range map[uintptr]byte{a: 2, h: 1} {
		const memoryType = 2
		m.must("cuPointerGetAttribute", m.scratch, memoryType, p)
		if got := bytesAt(m.scratch, 1)[0]; got != want {
			t.Errorf("memory type %d, want %d", got, want)
		}
	}
	if a%256 != 0 || h%256 != 0 {
		t.Errorf("addresses %x and %x are not aligned", a, h)
	}
	m.gives(invalidValue, "cuMemAlloc_v2", m.scratch, 0)
	m.free("cuMemFree_v2", a)
	m.free("cuMemFreeHost", h)
}
