//go:build cuda && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/cudasim"
	"github.com/imgvec/imgvec/internal/nvidia"
)

func TestEveryCallThatFailsIsTold(t *testing.T) {
	for _, f := range []struct {
		call, op string
		code     int
	}{
		{"cuMemAlloc_v2", "cuMemAlloc", 2}, {"cuMemAlloc_v2", "cuMemAlloc", 700}, {"cuMemHostAlloc", "cuMemHostAlloc", 2},
		{"cuStreamCreate", "cuStreamCreate", 1}, {"cuEventCreate", "cuEventCreate", 719}, {"cuModuleLoadData", "cuModuleLoadData", 218},
		{"cuModuleGetFunction", "cuModuleGetFunction sim_add", 500}, {"cuMemcpyHtoDAsync_v2", "cuMemcpyHtoDAsync", 1}, {"cuEventRecord", "cuEventRecord", 999},
		{"cuStreamWaitEvent", "cuStreamWaitEvent", 400}, {"cuLaunchKernel", "cuLaunchKernel sim_add", 1}, {"cuMemcpyDtoHAsync_v2", "cuMemcpyDtoHAsync", 1},
		{"cuEventSynchronize", "cuEventSynchronize", 702}, {"launch", "", 719}, {"copy", "", 700}, // told by a later call,
	} {
		t.Run(fmt.Sprintf("%s %d", f.call, f.code), func(t *testing.T) {
			sim := machine(t, 1)
			var failed error
			on(t, 0, func(d *Device) error {
				sim.Fail(cudasim.Fault{Device: 0, Call: f.call, At: 1, Code: f.code})
				w, err := newWork(d)
				if failed = err; err == nil {
					failed = firstError(w.start, w.done.Synchronize, w.check)
					_ = w.queue.Synchronize() // a failure in the middle leaves work behind
					_ = w.copyIn.Synchronize()
					return w.free()
				}
				return nil
			})
			var e *imgvec.NativeError
			if !errors.As(failed, &e) || e.Code != f.code || f.op != "" && e.Op != f.op || !strings.Contains(failed.Error(), "cuda:0: ") {
				t.Fatalf("told: %v", failed)
			}
			if errors.Is(failed, imgvec.ErrOutOfMemory) != (f.code == 2) || errors.Is(failed, imgvec.ErrNoDevice) != nvidia.Lost(f.code) {
				t.Errorf("of the wrong kind: %v", failed)
			}
			if !strings.Contains(e.Msg, "CUDA_ERROR_") {
				t.Errorf("not the driver's words: %q", e.Msg)
			}
		})
	}
}

func TestOutOfMemorySaysHowMuch(t *testing.T) {
	sim := machine(t, 1)
	sim.Memory(1 << 20)
	on(t, 0, func(d *Device) error {
		_, err := d.Alloc(3<<30, Pixels)
		if !errors.Is(err, imgvec.ErrOutOfMemory) || !strings.Contains(err.Error(), "needed 3.0 GiB for pixels, free ") || !strings.Contains(err.Error(), " of 1.0 MiB") {
			t.Errorf("%v", err)
		}
		if len(d.Bytes()) != 0 {
			t.Errorf("counted: %v", d.Bytes())
		}
		return nil
	})
}

func TestALostDeviceGivesEverythingBack(t *testing.T) {
	sim := machine(t, 2)
	on(t, 1, func(d *Device) error {
		w, err := newWork(d)
		if err != nil {
			return err
		}
		mem, free := mapped(t, 1<<16)
		defer free()
		registered, err := d.Register(mem, Batch)
		if err != nil {
			return err
		}
		sim.Fail(cudasim.Fault{Device: 1, Call: "launch", At: 1, Code: 719, Times: -1})
		if err := firstError(w.start, w.done.Synchronize); !errors.Is(err, imgvec.ErrNoDevice) {
			t.Errorf("a kernel that fails: %v", err)
		}
		if _, err := d.Alloc(16, Input); !errors.Is(err, imgvec.ErrNoDevice) {
			t.Errorf("the error does not stay: %v", err)
		}
		if err := errors.Join(w.free(), registered.Free()); err != nil {
			t.Errorf("giving back: %v", err)
		}
		if len(d.Bytes()) != 0 {
			t.Errorf("counted: %v", d.Bytes())
		}
		return nil
	})
}

func TestRegisteredMemoryServesEveryDevice(t *testing.T) {
	sim := machine(t, 2)
	mem, free := mapped(t, 1<<16)
	defer free()
	on(t, 0, func(first *Device) error {
		one, err := first.Register(mem, Batch)
		if err != nil {
			return err
		}
		on(t, 1, func(second *Device) error {
			two, err := second.Register(mem, Batch)
			if err != nil {
				return err
			}
			if n := sim.Counters().RegisteredBytes; n != int64(len(mem)) || second.Bytes()[Batch] != n {
				t.Errorf("registered: %d, counted %v", n, second.Bytes())
			}
			w, err := newWork(second)
			if err != nil {
				return err
			}
			err = firstError(
				func() error { return w.queue.CopyIn(w.in, 0, two.Part(100, workBytes)) },
				func() error { return w.queue.CopyOut(two.Part(0, 8), w.in, 16) },
				func() error { return w.queue.CopyIn(w.in, workBytes, two.Part(0, 0)) },
				w.queue.Synchronize,
			)
			return errors.Join(err, w.free(), two.Free(), two.Free())
		})
		if n := sim.Counters().RegisteredBytes; n != int64(len(mem)) {
			t.Errorf("the other's Free unlocked what is in use: %d bytes are registered", n)
		}
		return one.Free()
	})
}

// TestMemoryThatIsLockedInPartIsRefused: what a page more or less is locked already is not known to be locked whole.
func TestMemoryThatIsLockedInPartIsRefused(t *testing.T) {
	sim := machine(t, 1)
	mem, free := mapped(t, 1<<16)
	defer free()
	on(t, 0, func(d *Device) error {
		whole, err := d.Register(mem, Batch)
		if err != nil {
			return err
		}
		if _, err := d.Register(mem[:4096], Pixels); err == nil || sim.Counters().RegisteredBytes != int64(len(mem)) || d.Bytes()[Pixels] != 0 {
			t.Errorf("a part of it: %v, %+v, %v", err, sim.Counters(), d.Bytes())
		}
		sim.Fail(cudasim.Fault{Device: 0, Call: "cuMemHostRegister_v2", At: 1, Code: 2})
		other, unmap := mapped(t, 4096)
		defer unmap()
		if _, err := d.Register(other, Pixels); !errors.Is(err, imgvec.ErrOutOfMemory) {
			t.Errorf("a refused registration: %v", err)
		}
		return whole.Free()
	})
}

func mapped(t *testing.T, n int) (mem []byte, free func()) {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	return mem, func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	}
}

func TestClosingADeviceThatHangsDoesNotBlock(t *testing.T) {
	sim := cudasim.Load(t)
	sim.Reset(2)
	defer func(was time.Duration) { closeWait = was }(closeWait)
	closeWait = 10 * time.Millisecond
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	thread, err := d.NewThread()
	if err != nil {
		t.Fatal(err)
	}
	sim.Hang(0, 1)
	waiting := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		waiting <- thread.Do(func() error {
			w, err := newWork(d)
			if err != nil {
				return err
			}
			if err := w.start(); err != nil {
				return err
			}
			if done, err := w.done.Done(); done || err != nil {
				t.Errorf("a kernel that hangs: done %v, %v", done, err)
			}
			close(started)
			return w.done.Synchronize()
		})
	}()
	<-started
	thread.Close()
	if err := d.Close(); err == nil || !strings.HasPrefix(err.Error(), "cuda:0: close: ") {
		t.Errorf("close: %v", err)
	}
	on(t, 1, func(other *Device) error { // the other device goes on
		w, err := newWork(other)
		if err != nil {
			return err
		}
		return errors.Join(firstError(w.start, w.done.Synchronize, w.check), w.free())
	})
	sim.Release()
	if err := <-waiting; errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("what was running when the thread was closed: %v", err)
	}
	goleak.VerifyNone(t)
}

func TestACopyOutOfRangeIsABug(t *testing.T) {
	machine(t, 1)
	on(t, 0, func(d *Device) error {
		w, err := newWork(d)
		if err != nil {
			return err
		}
		for _, at := range []int64{-1, 1, workBytes + 1} {
			func() {
				defer func() {
					if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "imgvec: BUG: ") {
						t.Errorf("at %d: %v", at, p)
					}
				}()
				_ = w.queue.CopyIn(w.in, at, w.host.Part(0, workBytes))
			}()
		}
		return w.free()
	})
}
