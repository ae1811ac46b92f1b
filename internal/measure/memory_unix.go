//go:build unix

package measure

import "golang.org/x/sys/unix"

// mapMemory returns zeroed, page-aligned memory outside the Go heap.
func mapMemory(n int) ([]byte, error) {
	return unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func unmapMemory(mem []byte) error { return unix.Munmap(mem) }
