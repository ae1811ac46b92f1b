//go:build !unix

package executor

import "unsafe"

// mapMemory returns zeroed, page-aligned memory. Where there is no mmap it is of the Go heap, which does not move objects.
func mapMemory(n int) ([]byte, error) {
	mem := make([]byte, n+page)
	skip := -int(uintptr(unsafe.Pointer(&mem[0]))) & (page - 1)
	return mem[skip : skip+n : skip+n], nil
}

func unmapMemory([]byte) error { return nil }
