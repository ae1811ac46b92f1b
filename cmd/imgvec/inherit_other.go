//go:build !unix

package main

import "os"

// inherit takes over an open descriptor that this process was started with.
func inherit(int) (*os.File, error) {
	return nil, usagef("--lock-fd: descriptors are not inherited on this system")
}

// ownStdout takes standard output for the program alone; on this system libraries may print there all the same.
func ownStdout() (*os.File, error) { return os.Stdout, nil }
