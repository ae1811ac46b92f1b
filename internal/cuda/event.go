//go:build cuda && cgo && linux

package cuda

import (
	"time"

	"gorgonia.org/cu"
)

// Event marks a point in a stream. Its methods run inside Do.
type Event struct {
	device *Device
	event  cu.Event
	open   bool
}

// NewEvent makes an event. Only a timed one can be given to Since; the others are cheaper. A thread that waits for it
// sleeps. The caller owns and destroys it. Inside Do.
func (d *Device) NewEvent(timed bool) (*Event, error) {
	flags := cu.BlockingSyncEvent
	if !timed {
		flags |= cu.DisableTiming
	}
	event, err := cu.MakeEvent(flags)
	if err != nil {
		return nil, d.wrap("cuEventCreate", err)
	}
	d.held.count("event", 1)
	return &Event{device: d, event: event, open: true}, nil
}

// Record puts the event at the end of what is queued on s now.
func (e *Event) Record(s *Stream) error {
	return e.device.wrap("cuEventRecord", e.event.Record(s.stream))
}

// Synchronize blocks until the recorded point is reached, and tells the failure of what was queued before it. An event
// that was never recorded is reached.
func (e *Event) Synchronize() error {
	return e.device.wrap("cuEventSynchronize", e.event.Synchronize())
}

// Done tells, without blocking, whether the recorded point is reached.
func (e *Event) Done() (bool, error) {
	err := e.event.Query()
	if codeOf(err) == codeNotReady {
		return false, nil
	}
	return err == nil, e.device.wrap("cuEventQuery", err)
}

// Since is the device's time from an earlier event to this one. Both are timed and reached.
func (e *Event) Since(earlier *Event) (time.Duration, error) {
	ms, err := earlier.event.Elapsed(e.event)
	return time.Duration(ms * float64(time.Millisecond)), e.device.wrap("cuEventElapsedTime", err)
}

// Destroy gives the event back, also before it is reached. Idempotent and nil-safe.
func (e *Event) Destroy() error {
	if e == nil || !e.open {
		return nil
	}
	e.open = false
	e.device.held.count("event", -1)
	return e.device.wrapUnlessLost("cuEventDestroy", cu.DestroyEvent(&e.event))
}
