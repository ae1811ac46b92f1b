//go:build cuda && cgo && linux

package cuda

import "testing"

// TestRegistrationsOutliveTheDeviceThatMadeThem: the driver forgets a context's registrations with the context, and the
// other devices still use the memory, and give it back.
func TestRegistrationsOutliveTheDeviceThatMadeThem(t *testing.T) {
	sim := machine(t, 2)
	mem, free := mapped(t, 1<<16)
	defer free()
	var kept [2]*PinnedMemory
	register := func(i int) func(d *Device) error {
		return func(d *Device) (err error) {
			kept[i], err = d.Register(mem, Batch)
			return err
		}
	}
	on(t, 1, func(other *Device) error {
		first, err := Open(0)
		if err != nil {
			return err
		}
		thread, err := first.NewThread()
		if err != nil {
			return err
		}
		if err := thread.Do(func() error { return register(0)(first) }); err != nil {
			return err
		}
		if err := register(1)(other); err != nil {
			return err
		}
		if err := thread.Do(kept[0].Free); err != nil {
			return err
		}
		thread.Close()
		if err := first.Close(); err != nil {
			return err
		}
		if n := sim.Counters().RegisteredBytes; n != int64(len(mem)) {
			t.Errorf("%d bytes are registered after the first device was closed, of %d", n, len(mem))
		}
		return kept[1].Free()
	})
}
