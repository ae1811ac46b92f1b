package executor

import (
	"errors"

	"github.com/imgvec/imgvec"
)

// Close ends all calls under way with imgvec.ErrClosed, waits until none of them uses a device, and frees devices and
// memory. It is idempotent, and safe to call from inside the loop over a Stream; it must not be called from an Item's
// Open. A device that never answered is left alone together with the memory that it may still write to.
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
	errs := []error{e.closeInstances()}
	for range e.nworkers {
		(<-e.workers).dec.close()
	}
	for _, a := range e.abandoned {
		if a.answered() {
			errs = append(errs, a.buf.free())
		}
	}
	return errors.Join(append(errs, e.ring.close())...)
}

// closeInstances closes all backends but those that still owe an answer: closing waits for it.
func (e *Executor) closeInstances() error {
	owing := map[*instance]bool{}
	for _, a := range e.abandoned {
		if !a.answered() {
			owing[a.in] = true
		}
	}
	var errs []error
	for _, in := range e.devices.all {
		if !owing[in] {
			errs = append(errs, in.backend.Close())
		}
	}
	return errors.Join(errs...)
}
