//go:build cuda && cgo && linux

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/cudasim"
)

// kernels is what the simulated driver needs of a module: the names of kernels that were compiled into it.
const kernels = `.version 8.0
.target sm_75
.address_size 64
.visible .entry sim_add(.param .u64 dst, .param .u64 src, .param .u64 n, .param .u64 by) { ret; }
`

// machine is a simulated machine with so many devices. What the test leaves on it is an error of the test.
func machine(t *testing.T, devices int) *cudasim.Sim {
	t.Helper()
	sim := cudasim.Load(t)
	sim.Reset(devices)
	t.Cleanup(func() {
		goleak.VerifyNone(t)
		sim.Check()
	})
	return sim
}

// on runs f on a thread of the device, with everything closed behind it.
func on(t *testing.T, ordinal int, f func(d *Device) error) {
	t.Helper()
	d, err := Open(ordinal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	thread, err := d.NewThread()
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	if err := thread.Do(func() error { return f(d) }); err != nil {
		t.Fatal(err)
	}
}

func TestStartOpensTheSimulatedDriver(t *testing.T) {
	machine(t, 2)
	driver, err := Start()
	if err != nil || !driver.Simulated || driver.Version < oldest || !strings.HasPrefix(driver.Path, "/") {
		t.Fatalf("%+v, %v", driver, err)
	}
	t.Setenv(driverVariable, "/nowhere")
	if again, err := Start(); err != nil || again != driver {
		t.Errorf("a second Start: %+v, %v", again, err)
	}
}

func TestDevicesTellWhatTheyAre(t *testing.T) {
	machine(t, 3)
	all, err := Devices()
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i := range all {
		d := &all[i]
		if d.Ordinal != i || d.Name == "" || !strings.HasPrefix(d.UUID, "GPU-") || len(d.UUID) != 40 || d.Memory <= 0 || d.Major < 5 || d.SMs < 1 || d.NUMANode != -1 {
			t.Errorf("%+v", d)
		}
		for _, id := range []string{d.UUID, d.PCI, fmt.Sprint(i)} {
			if found, err := Find(all, []string{id}); err != nil || found[0] != *d {
				t.Errorf("find %q: %v, %v", id, found, err)
			}
		}
	}
	if _, err := Open(3); !errors.Is(err, imgvec.ErrNoDevice) || !strings.Contains(err.Error(), "open cuda:3") {
		t.Errorf("a device that is not there: %v", err)
	}
}

// work adds 41 to n floats on the device and looks at the result.
type work struct {
	in, out       *DeviceMemory
	host          *PinnedMemory
	copyIn, queue *Stream
	copied, done  *Event
	module        *Module
	add           *Kernel
}

const workBytes = 4 << 10

func newWork(d *Device) (w *work, err error) {
	w = &work{}
	steps := []func() error{
		func() (err error) { w.in, err = d.Alloc(workBytes, Input); return },
		func() (err error) { w.out, err = d.Alloc(workBytes, Output); return },
		func() (err error) { w.host, err = d.AllocPinned(2*workBytes, Staging); return },
		func() (err error) { w.copyIn, err = d.NewStream(); return },
		func() (err error) { w.queue, err = d.NewStream(); return },
		func() (err error) { w.copied, err = d.NewEvent(true); return },
		func() (err error) { w.done, err = d.NewEvent(true); return },
		func() (err error) { w.module, err = d.LoadModule(kernels); return },
		func() (err error) { w.add, err = w.module.Kernel("sim_add"); return },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, errors.Join(err, w.free())
		}
	}
	return w, nil
}

func (w *work) free() error {
	return errors.Join(w.module.Unload(), w.done.Destroy(), w.copied.Destroy(), w.queue.Destroy(), w.copyIn.Destroy(), w.host.Free(), w.out.Free(), w.in.Free())
}

func (w *work) start() error {
	for i := range w.host.Bytes()[:workBytes] {
		w.host.Bytes()[i] = 0
	}
	return firstError(
		func() error { return w.copyIn.CopyIn(w.in, 0, w.host.Part(0, workBytes)) },
		func() error { return w.copied.Record(w.copyIn) },
		func() error { return w.queue.Wait(w.copied) },
		func() error {
			return w.add.Launch(w.queue, Dim{X: 2}, Dim{X: 64}, 0, w.out.Addr(), w.in.Addr(), workBytes/4, 41)
		},
		func() error { return w.queue.CopyOut(w.host.Part(workBytes, workBytes), w.out, 0) },
		func() error { return w.done.Record(w.queue) },
	)
}

func (w *work) check() error {
	fortyOne := bytes.Repeat([]byte{0, 0, 0x24, 0x42}, workBytes/4)
	if !bytes.Equal(w.host.Bytes()[workBytes:], fortyOne) {
		return fmt.Errorf("the kernel wrote %v...", w.host.Bytes()[workBytes:workBytes+8])
	}
	return nil
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func TestWorkOnSeveralDevicesAtOnce(t *testing.T) {
	sim := machine(t, 3)
	sim.Lag(200 * time.Microsecond)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			on(t, i%3, func(d *Device) error {
				w, err := newWork(d)
				if err != nil {
					return err
				}
				for range 5 {
					if err := firstError(w.start, w.done.Synchronize, w.check); err != nil {
						return errors.Join(err, w.free())
					}
				}
				return w.free()
			})
		})
	}
	all.Wait()
}

func TestEventsTellTimeAndState(t *testing.T) {
	sim := machine(t, 1)
	sim.SlowCopies(5 * time.Millisecond)
	on(t, 0, func(d *Device) error {
		w, err := newWork(d)
		if err != nil {
			return err
		}
		if err := w.start(); err != nil {
			return err
		}
		if done, err := w.done.Done(); done || err != nil {
			t.Errorf("slow copies are done at once: %v, %v", done, err)
		}
		if err := firstError(w.done.Synchronize, w.queue.Synchronize, w.check); err != nil {
			return err
		}
		if done, err := w.done.Done(); !done || err != nil {
			t.Errorf("after waiting: %v, %v", done, err)
		}
		if took, err := w.done.Since(w.copied); took < 4*time.Millisecond || err != nil {
			t.Errorf("a copy that lasts 5 ms took %v, %v", took, err)
		}
		if w.queue.Handle() == 0 || w.queue.Handle() == w.copyIn.Handle() {
			t.Errorf("handles %x, %x", w.queue.Handle(), w.copyIn.Handle())
		}
		return w.free()
	})
}

func TestBytesAreCountedByPurpose(t *testing.T) {
	sim := machine(t, 1)
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	thread, err := d.NewThread()
	if err != nil {
		t.Fatal(err)
	}
	var w *work
	if err := thread.Do(func() (err error) { w, err = newWork(d); return }); err != nil {
		t.Fatal(err)
	}
	got := d.Bytes()
	if len(got) != 3 || got[Input] != workBytes || got[Output] != workBytes || got[Staging] != 2*workBytes {
		t.Errorf("held: %v", got)
	}
	if c := sim.Counters(); c.DeviceBytes != 2*workBytes || c.PinnedBytes != 2*workBytes {
		t.Errorf("the driver counts %+v", c)
	}
	if err := thread.Do(func() error {
		free, total, err := d.Free()
		if free <= 0 || free >= total || total != d.Info().Memory {
			t.Errorf("free %d of %d", free, total)
		}
		return errors.Join(err, w.free(), w.free())
	}); err != nil {
		t.Fatal(err)
	}
	if got := d.Bytes(); len(got) != 0 {
		t.Errorf("after free: %v", got)
	}
	thread.Close()
	thread.Close()
	if err := thread.Do(func() error { return nil }); !errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("a closed thread: %v", err)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	if _, err := d.NewThread(); !errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("a thread of a closed device: %v", err)
	}
	if err := new(work).free(); err != nil {
		t.Errorf("freeing nothing: %v", err)
	}
}

func TestCloseNamesWhatIsHeld(t *testing.T) {
	sim := cudasim.Load(t)
	sim.Reset(1)
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	thread, err := d.NewThread()
	if err != nil {
		t.Fatal(err)
	}
	if err := thread.Do(func() (err error) { _, err = newWork(d); return }); err != nil {
		t.Fatal(err)
	}
	err = d.Close()
	if err == nil || err.Error() != "cuda:0: close: still held: 4.0 KiB of input, 4.0 KiB of output, 8.0 KiB of staging, 2 of kind event, 1 of kind module, 2 of kind stream, 1 of kind thread" {
		t.Errorf("close: %v", err)
	}
	thread.Close()
	goleak.VerifyNone(t)
}

func TestThreadRunsInOrderAndEndsWithItsQueue(t *testing.T) {
	machine(t, 1)
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	thread, err := d.NewThread()
	if err != nil {
		t.Fatal(err)
	}
	release, running := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { _ = thread.Do(func() error { close(running); <-release; return nil }) })
	<-running
	ran := make(chan error, 1)
	all.Go(func() { ran <- thread.Do(func() error { return os.ErrExist }) })
	for len(queued(thread)) == 0 {
		time.Sleep(time.Millisecond)
	}
	thread.Close() // waits for nothing
	close(release)
	all.Wait()
	if err := <-ran; !errors.Is(err, os.ErrExist) {
		t.Errorf("what was queued before Close: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestAThreadThatIsEndedFromWithinAnswersEverybody(t *testing.T) {
	machine(t, 1)
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	thread, err := d.NewThread()
	if err != nil {
		t.Fatal(err)
	}
	release, running := make(chan struct{}), make(chan struct{})
	answers := make(chan error)
	go func() { answers <- thread.Do(func() error { close(running); <-release; runtime.Goexit(); return nil }) }()
	<-running
	for range 2 {
		go func() { answers <- thread.Do(func() error { return nil }) }()
	}
	for len(queued(thread)) < 2 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	for range 3 {
		if err := <-answers; !errors.Is(err, errEnded) {
			t.Errorf("answer: %v", err)
		}
	}
	if err := thread.Do(func() error { return nil }); !errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func queued(t *Thread) []call {
	t.wake.L.Lock()
	defer t.wake.L.Unlock()
	return t.queue
}

func TestTheProjectsKernelsLoad(t *testing.T) {
	machine(t, 1)
	text, err := os.ReadFile("../../csrc/kernels.ptx")
	if err != nil {
		t.Fatal(err)
	}
	ptx := string(text)
	names := regexp.MustCompile(`(?m)^\.visible \.entry (\w+)\(`).FindAllStringSubmatch(ptx, -1)
	if len(names) == 0 {
		t.Fatal("no kernels in the PTX")
	}
	on(t, 0, func(d *Device) error {
		m, err := d.LoadModule(ptx)
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, err := m.Kernel(name[1]); err != nil {
				t.Error(err)
			}
		}
		if _, err := m.Kernel("no_such_kernel"); err == nil || !strings.Contains(err.Error(), "no_such_kernel") {
			t.Errorf("a kernel that is not there: %v", err)
		}
		return m.Unload()
	})
}
