//go:build !unix

package measure

// mapMemory returns zeroed memory; where there is no mmap there is no GPU either.
func mapMemory(n int) ([]byte, error) { return make([]byte, n), nil }

func unmapMemory([]byte) error { return nil }
