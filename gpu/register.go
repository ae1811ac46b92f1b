package gpu

import (
	"errors"
	"slices"
	"sync"
	"unsafe"

	"github.com/imgvec/imgvec/internal/cuda"
)

// registry knows the page-locked memory that batches were registered with. Safe for concurrent use.
type registry struct {
	mu    sync.RWMutex
	areas []area // by address, not overlapping
}

// area is one piece of page-locked memory.
type area struct {
	start, end uintptr
	memory     *cuda.PinnedMemory
}

// add takes the memory over.
func (r *registry) add(m *cuda.PinnedMemory) {
	start := address(m.Bytes())
	r.mu.Lock()
	defer r.mu.Unlock()
	i, _ := slices.BinarySearchFunc(r.areas, start, byStart)
	r.areas = slices.Insert(r.areas, i, area{start, start + uintptr(len(m.Bytes())), m})
}

// find gives the page-locked view of mem; ok is false where not all of it was registered.
func (r *registry) find(mem []byte) (view cuda.Pinned, ok bool) {
	a, ok := r.around(mem)
	if !ok {
		return cuda.Pinned{}, false
	}
	return a.memory.Part(int(address(mem)-a.start), len(mem)), true
}

// around is the area that holds all of mem.
func (r *registry) around(mem []byte) (a area, ok bool) {
	start := address(mem)
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, exact := slices.BinarySearchFunc(r.areas, start, byStart)
	if !exact {
		i--
	}
	if i < 0 || start+uintptr(len(mem)) > r.areas[i].end {
		return area{}, false
	}
	return r.areas[i], true
}

// free unlocks all.
func (r *registry) free() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, a := range r.areas {
		errs = append(errs, a.memory.Free())
	}
	r.areas = nil
	return errors.Join(errs...)
}

func byStart(a area, start uintptr) int {
	switch {
	case a.start < start:
		return -1
	case a.start > start:
		return 1
	}
	return 0
}

func address(mem []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(mem))) }

// bytesOf is the memory of float32 numbers.
func bytesOf(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*4)
}
