//go:build cuda && cgo && linux

package cuda

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// held counts what a device has given out: bytes by purpose and objects by kind.
type held struct {
	mu      sync.Mutex
	memory  map[Purpose]int64
	objects map[string]int
}

// add counts bytes in, or out where n is negative.
func (h *held) add(p Purpose, n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.memory == nil {
		h.memory = map[Purpose]int64{}
	}
	if h.memory[p] += n; h.memory[p] == 0 {
		delete(h.memory, p)
	}
}

// count counts objects ("stream", "event", "module", "thread") in or out.
func (h *held) count(kind string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.objects == nil {
		h.objects = map[string]int{}
	}
	if h.objects[kind] += n; h.objects[kind] == 0 {
		delete(h.objects, kind)
	}
}

func (h *held) bytes() map[Purpose]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.memory == nil {
		return map[Purpose]int64{}
	}
	return maps.Clone(h.memory)
}

// left names what is held, "" for nothing.
func (h *held) left() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var parts []string
	for _, p := range slices.Sorted(maps.Keys(h.memory)) {
		parts = append(parts, fmt.Sprintf("%s of %s", size(h.memory[p]), p))
	}
	for _, kind := range slices.Sorted(maps.Keys(h.objects)) {
		parts = append(parts, fmt.Sprintf("%d of kind %s", h.objects[kind], kind))
	}
	return strings.Join(parts, ", ")
}

// size writes bytes for a person.
func size(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.bytes), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
