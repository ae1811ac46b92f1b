package executor

import (
	"context"
	"errors"
	"time"

	"github.com/imgvec/imgvec"
)

// closePatience is how long Close waits for devices after one of them was lost: the driver may be in a bad state.
const closePatience = 10 * time.Second

// Close ends all calls under way with imgvec.ErrClosed, waits until none of them uses a device, and frees devices and
// memory. It is idempotent, and safe to call from inside the loop over a Stream; it must not be called from an Item's
// Open.
//
// A device that has not answered within its time-out is not waited for: it and the memory that it knows are left alone,
// and are freed in the background if it answers one day.
func (e *Executor) Close() error {
	e.mu.Lock()
	if e.closing {
		e.mu.Unlock()
		<-e.closed
		return e.closeErr
	}
	e.closing = true
	e.kill(imgvec.ErrClosed)
	for e.running > 0 {
		e.quiet.Wait()
	}
	e.mu.Unlock()
	e.closeErr = e.free()
	close(e.closed)
	return e.closeErr
}

// free gives all back, when nothing runs any more: devices first, then the memory that they knew.
func (e *Executor) free() error {
	for range e.nworkers {
		(<-e.workers).dec.close()
	}
	pending, err := e.closeInstances()
	if len(pending) > 0 {
		e.leaveMemory(pending)
		return err
	}
	return errors.Join(err, e.freeMemory())
}

// closing is an instance on its way out.
type closing struct {
	in   *instance
	owes bool // the answer to a batch
	done chan struct{}
	err  error // once done is closed
}

// closeInstances closes all instances at the same time and returns those that it did not wait for: they owe an answer,
// or do not even close. What goes wrong with a device that was lost before is only noted.
func (e *Executor) closeInstances() (pending []*closing, err error) {
	patience := context.Background()
	if e.devices.anyLost() {
		var cancel context.CancelFunc
		patience, cancel = context.WithTimeout(patience, e.patience)
		defer cancel()
	}
	var errs []error
	for _, c := range e.startClosing() {
		if !c.owes {
			select {
			case <-c.done:
				errs = append(errs, e.outcome(c))
				continue
			case <-patience.Done():
			}
		}
		e.note("%s: does not answer; its memory is left alone", c.in.name)
		pending = append(pending, c)
	}
	return pending, errors.Join(errs...)
}

// startClosing closes each instance in a goroutine, when it owes no answer.
func (e *Executor) startClosing() []*closing {
	all := make([]*closing, len(e.devices.all))
	for i, in := range e.devices.all {
		c := &closing{in: in, done: make(chan struct{})}
		var owed []<-chan struct{}
		for _, a := range e.abandoned {
			if a.in == in {
				owed = append(owed, a.answered)
				c.owes = c.owes || a.waiting()
			}
		}
		go func() {
			defer close(c.done)
			for _, answered := range owed {
				<-answered
			}
			c.err = in.backend.Close()
		}()
		all[i] = c
	}
	return all
}

// outcome is the error of a backend that closed badly. It is no failure of the job where the device was lost before.
func (e *Executor) outcome(c *closing) error {
	if c.err != nil && c.in.lost.Load() {
		e.note("%s: closed badly after it was lost: %v", c.in.name, c.err)
		return nil
	}
	return c.err
}

// freeMemory unmaps all batches.
func (e *Executor) freeMemory() error {
	var errs []error
	for _, a := range e.abandoned {
		errs = append(errs, a.buf.free())
	}
	return errors.Join(append(errs, e.ring.close())...)
}

// leaveMemory leaves all batches alone until the instances are closed: a backend may use whatever was registered with
// it as long as it lives.
func (e *Executor) leaveMemory(pending []*closing) {
	freed := make(chan struct{})
	e.mu.Lock()
	for _, b := range e.ring.leave() {
		e.abandoned = append(e.abandoned, abandoned{b, int64(len(b.mem)), nil, freed})
	}
	e.mu.Unlock()
	go func() {
		defer close(freed)
		for _, c := range pending {
			<-c.done
			if err := c.err; err != nil {
				e.note("%s: closed badly after it was lost: %v", c.in.name, err)
			}
		}
		if err := e.freeMemory(); err != nil {
			e.note("%v", err)
		}
	}()
}
