//go:build !(cgo && linux)

package sigtest

import "syscall"

// Install does nothing in a build without C.
func Install(syscall.Signal) bool { return false }

// Remove does nothing in a build without C.
func Remove(syscall.Signal) {}

// OnStack is true in a build without C.
func OnStack(syscall.Signal) bool { return true }

// Calls is 0 in a build without C.
func Calls() (n int, onStack bool) { return 0, false }
