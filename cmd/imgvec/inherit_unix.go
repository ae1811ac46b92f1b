//go:build unix

package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// inherit takes over an open descriptor that this process was started with; what it starts itself does not get it.
func inherit(fd int) (*os.File, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		return nil, usagef("--lock-fd %d: %w: give a descriptor that this process was started with", fd, err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags|unix.FD_CLOEXEC); err != nil {
		return nil, usagef("--lock-fd %d: %w", fd, err)
	}
	return os.NewFile(uintptr(fd), "lock"), nil
}

// ownStdout takes standard output for the program alone: what a native library prints there goes to standard error.
func ownStdout() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(unix.Stdout), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	if err := unix.Dup2(unix.Stderr, unix.Stdout); err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	return os.NewFile(uintptr(fd), os.Stdout.Name()), nil
}
