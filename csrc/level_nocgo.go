//go:build !cgo

package csrc

func nativeLevels() []Level { return []Level{Go} }
