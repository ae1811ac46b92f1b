//go:build !linux

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// dead says how it shows that the owner is dead; "" while it lives. Without /proc a zombie and another process of the
// same id count as alive: --idle-exit ends such a server.
func (o owner) dead() string {
	process, err := os.FindProcess(o.pid)
	if err != nil {
		return fmt.Sprintf("process %d is gone", o.pid)
	}
	if err := process.Signal(syscall.Signal(0)); errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
		return fmt.Sprintf("process %d is gone", o.pid)
	}
	return ""
}

// startTime is not known on this system.
func startTime(int) uint64 { return 0 }
