//go:build cgo && linux

package ort

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/imgvec/imgvec/internal/ort/sigtest"
)

// A handler without SA_ONSTACK gets it, and then runs on the signal stack; Go's own have it.
func TestFixSignals(t *testing.T) {
	const sig = syscall.Signal(42) // nobody else's
	if !sigtest.Install(sig) {
		t.Fatal("no handler")
	}
	defer sigtest.Remove(sig)
	if sigtest.OnStack(sig) {
		t.Fatal("the handler has SA_ONSTACK by itself")
	}
	if n := fixSignals(); n != 1 {
		t.Errorf("%d handlers were mended, want 1", n)
	}
	if !sigtest.OnStack(sig) || !sigtest.OnStack(syscall.SIGSEGV) {
		t.Errorf("SA_ONSTACK: ours %v, Go's %v", sigtest.OnStack(sig), sigtest.OnStack(syscall.SIGSEGV))
	}
	if n := fixSignals(); n != 0 {
		t.Errorf("%d handlers were mended again", n)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, _ := sigtest.Calls()
	if err := tgkill(sig); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if n, onStack := sigtest.Calls(); n > before {
			if !onStack {
				t.Error("the handler ran on the goroutine's stack")
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the signal did not arrive")
}

// tgkill sends a signal to this thread.
func tgkill(sig syscall.Signal) error {
	_, _, code := syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(syscall.Getpid()), uintptr(syscall.Gettid()), uintptr(sig))
	if code != 0 {
		return code
	}
	return nil
}
