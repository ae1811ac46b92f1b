//go:build cuda && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"gorgonia.org/cu"

	"github.com/imgvec/imgvec"
)

// Thread is an OS thread on which the device's context is current. Where the system tells which NUMA node the GPU hangs
// on, it runs on that node's processors, and so do the threads that native libraries start inside Do. Safe for
// concurrent use.
type Thread struct {
	device *Device
	wake   *sync.Cond
	queue  []call
	closed bool
}

type call struct {
	f    func() error
	done chan error
}

// NewThread starts a thread. The caller owns and closes it.
func (d *Device) NewThread() (*Thread, error) {
	if d.isClosed() {
		return nil, fmt.Errorf("cuda:%d: start a thread: %w", d.info.Ordinal, imgvec.ErrClosed)
	}
	t := &Thread{device: d, wake: sync.NewCond(&sync.Mutex{})}
	ready := make(chan error)
	go t.run(ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	return t, nil
}

// run is the thread. It never unlocks its OS thread, which therefore ends with it: its processors are not the
// process's.
func (t *Thread) run(ready chan<- error) {
	runtime.LockOSThread()
	if err := cu.SetCurrentContext(t.device.ctx); err != nil {
		ready <- t.device.wrap("cuCtxSetCurrent", err)
		return
	}
	relax()
	bindThread(cpusOf(sysfs, t.device.info.NUMANode))
	t.device.held.count("thread", 1)
	ready <- nil
	defer t.end()
	for {
		c, ok := t.next()
		if !ok {
			return
		}
		c.run()
	}
}

// run answers the caller, also where f ends the goroutine, as a failing test does: nobody may wait for ever.
func (c call) run() {
	err := errEnded
	defer func() { c.done <- err }()
	err = c.f()
}

var errEnded = errors.New("the function ended its goroutine")

// end answers what is still queued where the thread did not end by Close.
func (t *Thread) end() {
	t.Close()
	t.wake.L.Lock()
	defer t.wake.L.Unlock()
	for _, c := range t.queue {
		c.done <- errEnded
	}
	t.queue = nil
}

func (t *Thread) next() (call, bool) {
	t.wake.L.Lock()
	defer t.wake.L.Unlock()
	for len(t.queue) == 0 && !t.closed {
		t.wake.Wait()
	}
	if len(t.queue) == 0 {
		return call{}, false
	}
	c := t.queue[0]
	t.queue[0] = call{}
	t.queue = t.queue[1:]
	return c, true
}

// Do runs f on the thread, after what was queued before, and returns its error. f must not call Do of the same thread.
// After Close the error is imgvec.ErrClosed.
func (t *Thread) Do(f func() error) error {
	c := call{f, make(chan error, 1)}
	t.wake.L.Lock()
	if t.closed {
		t.wake.L.Unlock()
		return fmt.Errorf("cuda:%d: use a thread: %w", t.device.info.Ordinal, imgvec.ErrClosed)
	}
	t.queue = append(t.queue, c)
	t.wake.L.Unlock()
	t.wake.Signal()
	return <-c.done
}

// Close ends the thread after what is queued, and waits for nothing: a thread inside a hung driver call stays there.
// Idempotent and nil-safe.
func (t *Thread) Close() {
	if t == nil {
		return
	}
	t.wake.L.Lock()
	defer t.wake.L.Unlock()
	if !t.closed {
		t.closed = true
		t.device.held.count("thread", -1)
		t.wake.Broadcast()
	}
}
