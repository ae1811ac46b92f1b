//go:build cuda && cgo && linux

package cuda

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/cudasim"
	"github.com/imgvec/imgvec/internal/float16"
	"github.com/imgvec/imgvec/internal/testdata"
)

// hardware makes sure that the driver in use is the one that IMGVEC_GPU names: "real", or "simulated" to try these tests
// on a machine without a GPU. They use nothing that only the simulated driver has. Run them alone (-test.run '^TestHardware'):
// a process has one driver.
func hardware(t *testing.T) {
	t.Helper()
	simulated := cudasim.Hardware(t)
	driver, err := Start()
	if err != nil {
		testdata.Require(t, "gpu", err.Error())
	}
	if driver.Simulated != simulated {
		t.Fatalf("IMGVEC_GPU is not what the driver is: %+v", driver)
	}
}

func TestHardwareDevices(t *testing.T) {
	hardware(t)
	all, err := Devices()
	if err != nil || len(all) == 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i := range all {
		d := &all[i]
		t.Logf("%+v", *d)
		if d.Ordinal != i || d.Name == "" || !strings.HasPrefix(d.UUID, "GPU-") || d.PCI == "" || d.Memory < 1<<30 || d.Major < 7 || d.SMs < 1 {
			t.Errorf("%+v", *d)
		}
		for _, id := range []string{d.UUID, d.PCI, fmt.Sprint(i)} {
			if found, err := Find(all, []string{id}); err != nil || found[0] != *d {
				t.Errorf("find %q: %v, %v", id, found, err)
			}
		}
	}
	if _, err := Open(len(all)); !errors.Is(err, imgvec.ErrNoDevice) {
		t.Errorf("a device that is not there: %v", err)
	}
}

// conversion is a round trip: halves to the device on one stream, to floats by a kernel of ours on another, and back.
type conversion struct {
	src, dst      *DeviceMemory
	host          *PinnedMemory
	copyIn, queue *Stream
	copied, done  *Event
	module        *Module
	kernel        *Kernel
}

const halves = 1 << 16

func newConversion(d *Device) (c *conversion, err error) {
	c = &conversion{}
	err = firstError(
		func() (err error) { c.src, err = d.Alloc(2*halves, Input); return },
		func() (err error) { c.dst, err = d.Alloc(4*halves, Output); return },
		func() (err error) { c.host, err = d.AllocPinned(6*halves, Staging); return },
		func() (err error) { c.copyIn, err = d.NewStream(); return },
		func() (err error) { c.queue, err = d.NewStream(); return },
		func() (err error) { c.copied, err = d.NewEvent(true); return },
		func() (err error) { c.done, err = d.NewEvent(true); return },
		func() (err error) { c.module, err = d.LoadModule(csrc.PTX); return },
		func() (err error) { c.kernel, err = c.module.Kernel(csrc.ConvertF16); return },
	)
	if err != nil {
		return nil, errors.Join(err, c.free())
	}
	return c, nil
}

func (c *conversion) free() error {
	return errors.Join(c.module.Unload(), c.done.Destroy(), c.copied.Destroy(), c.queue.Destroy(), c.copyIn.Destroy(), c.host.Free(), c.dst.Free(), c.src.Free())
}

// once converts numbers that depend on the seed, and checks each.
func (c *conversion) once(seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 7))
	in, out := c.host.Bytes()[:2*halves], c.host.Bytes()[2*halves:]
	for i := range halves {
		binary.LittleEndian.PutUint16(in[2*i:], uint16(random.Uint32()))
	}
	for i := range out {
		out[i] = 0xAB
	}
	err := firstError(
		func() error { return c.copyIn.CopyIn(c.src, 0, c.host.Part(0, 2*halves)) },
		func() error { return c.copied.Record(c.copyIn) },
		func() error { return c.queue.Wait(c.copied) },
		func() error {
			return c.kernel.Launch(c.queue, Dim{X: 64}, Dim{X: 256}, 0, c.dst.Addr(), c.src.Addr(), halves)
		},
		func() error { return c.queue.CopyOut(c.host.Part(2*halves, 4*halves), c.dst, 0) },
		func() error { return c.done.Record(c.queue) },
		c.done.Synchronize,
	)
	if err != nil {
		return err
	}
	for i := range halves {
		got := math.Float32frombits(binary.LittleEndian.Uint32(out[4*i:]))
		want := float16.To(binary.LittleEndian.Uint16(in[2*i:]))
		if got != want && !(math.IsNaN(float64(got)) && math.IsNaN(float64(want))) {
			return fmt.Errorf("seed %d, number %d: %v, want %v", seed, i, got, want)
		}
	}
	return nil
}

func TestHardwareWorkOnManyThreads(t *testing.T) {
	hardware(t)
	var all sync.WaitGroup
	for thread := range uint64(4) {
		all.Go(func() {
			on(t, 0, func(d *Device) error {
				c, err := newConversion(d)
				if err != nil {
					return err
				}
				for round := range uint64(25) {
					if err := c.once(thread<<8 | round); err != nil {
						return errors.Join(err, c.free())
					}
				}
				took, err := c.done.Since(c.copied)
				if took <= 0 || took > time.Minute {
					err = errors.Join(err, fmt.Errorf("the events are %v apart", took))
				}
				return errors.Join(err, c.free())
			})
		})
	}
	all.Wait()
}

func TestHardwareRegisteredMemory(t *testing.T) {
	hardware(t)
	const n = 1 << 20
	mem, unmap := mapped(t, n)
	defer unmap()
	on(t, 0, func(d *Device) error {
		var pinned *PinnedMemory
		var device *DeviceMemory
		var s *Stream
		err := firstError(
			func() (err error) { pinned, err = d.Register(mem, Batch); return },
			func() (err error) { device, err = d.Alloc(n/2, Pixels); return },
			func() (err error) { s, err = d.NewStream(); return },
		)
		if err != nil {
			return err
		}
		for i := range mem[:n/2] {
			mem[i] = byte(i * 7)
		}
		err = firstError(
			func() error { return s.CopyIn(device, 0, pinned.Part(0, n/2)) },
			func() error { return s.CopyOut(pinned.Part(n/2, n/2), device, 0) },
			s.Synchronize,
		)
		if err == nil && !slices.Equal(mem[:n/2], mem[n/2:]) {
			err = errors.New("what came back is not what went in")
		}
		return errors.Join(err, s.Destroy(), device.Free(), pinned.Free())
	})
}

// TestHardwareOutOfMemory: the error says how much there was, and nothing is broken by it.
func TestHardwareOutOfMemory(t *testing.T) {
	hardware(t)
	on(t, 0, func(d *Device) error {
		free, total, err := d.Free()
		if err != nil || free <= 0 || free > total {
			return fmt.Errorf("free %d of %d: %w", free, total, err)
		}
		if m, err := d.Alloc(2*total, Features); !errors.Is(err, imgvec.ErrOutOfMemory) {
			return errors.Join(fmt.Errorf("twice the memory: %w", err), m.Free())
		}
		c, err := newConversion(d)
		if err != nil {
			return err
		}
		return errors.Join(c.once(1), c.free())
	})
}

// TestHardwareMemoryComesBack opens and closes the device again and again.
func TestHardwareMemoryComesBack(t *testing.T) {
	hardware(t)
	var first int64
	for round := range 8 {
		on(t, 0, func(d *Device) error {
			free, _, err := d.Free()
			if err != nil {
				return err
			}
			if round == 1 {
				first = free // the first round loads what stays
			}
			if round > 1 && free < first-32<<20 {
				t.Errorf("round %d: %d bytes are free, %d were", round, free, first)
			}
			m, err := d.Alloc(64<<20, Pixels)
			if err != nil {
				return err
			}
			if held := d.Bytes()[Pixels]; held != 64<<20 {
				t.Errorf("%d bytes are counted", held)
			}
			return m.Free()
		})
	}
}
