package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/imgvec/imgvec/internal/cuda"
)

// copyBytes is one copy of the limits: large enough that its start does not count, as a batch of 512 images is.
const copyBytes = 64 << 20

// copier measures how fast the GPU's copy engines move page-locked memory, by the calls that imgvec itself copies with.
type copier struct {
	thread *cuda.Thread
	device *cuda.Device
	stream *cuda.Stream
	host   *cuda.PinnedMemory
	memory *cuda.DeviceMemory
	begin  *cuda.Event
	end    *cuda.Event
}

// serveLimits is `bench gpu-limits`.
func serveLimits(args []string) error {
	f := flag.NewFlagSet("bench gpu-limits", flag.ContinueOnError)
	name := f.String("device", "cuda:0", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	var ordinal int
	if _, err := fmt.Sscanf(*name, "cuda:%d", &ordinal); err != nil {
		return fmt.Errorf("device %q: %w", *name, err)
	}
	c, err := openCopier(ordinal)
	if err != nil {
		return err
	}
	return errors.Join(serveCases(os.Stdin, os.Stdout, c, answer{}), c.close())
}

func openCopier(ordinal int) (*copier, error) {
	if _, err := cuda.Start(); err != nil {
		return nil, err
	}
	d, err := cuda.Open(ordinal)
	if err != nil {
		return nil, err
	}
	c := &copier{device: d}
	if c.thread, err = d.NewThread(); err == nil {
		err = c.thread.Do(c.allocate)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *copier) allocate() (err error) {
	if c.stream, err = c.device.NewStream(); err != nil {
		return err
	}
	if c.host, err = c.device.AllocPinned(copyBytes, cuda.Staging); err != nil {
		return err
	}
	if c.memory, err = c.device.Alloc(copyBytes, cuda.Staging); err != nil {
		return err
	}
	if c.begin, err = c.device.NewEvent(true); err != nil {
		return err
	}
	if c.end, err = c.device.NewEvent(true); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	mem := c.host.Bytes()
	for i := range mem {
		mem[i] = byte(random.Uint32())
	}
	return nil
}

func (c *copier) prepare(r request) (answer, error) {
	if r.Scenario != limitH2D && r.Scenario != limitD2H {
		return answer{}, fmt.Errorf("scenario %q is unknown", r.Scenario)
	}
	_, err := c.copies(r, 3)
	return answer{Ready: true}, err
}

// measure copies for about the asked time. The device's own events tell how long it took.
func (c *copier) measure(r request) (answer, error) {
	took, err := c.copies(r, 2)
	if err != nil {
		return answer{}, err
	}
	n := 2
	if took > 0 {
		n = max(2, int(2*r.Seconds/took.Seconds()))
	}
	if took, err = c.copies(r, n); err != nil {
		return answer{}, err
	}
	return answer{Bytes: float64(n) * copyBytes, Seconds: took.Seconds()}, nil
}

func (c *copier) copies(r request, n int) (took time.Duration, err error) {
	err = c.thread.Do(func() error {
		if err := c.begin.Record(c.stream); err != nil {
			return err
		}
		for range n {
			if err := c.copy(r.Scenario); err != nil {
				return err
			}
		}
		if err := errors.Join(c.end.Record(c.stream), c.end.Synchronize()); err != nil {
			return err
		}
		took, err = c.end.Since(c.begin)
		return err
	})
	return took, err
}

func (c *copier) copy(scenario string) error {
	host := c.host.Part(0, copyBytes)
	if scenario == limitD2H {
		return c.stream.CopyOut(host, c.memory, 0)
	}
	return c.stream.CopyIn(c.memory, 0, host)
}

func (c *copier) close() error {
	var err error
	if c.thread != nil {
		err = c.thread.Do(c.free)
		c.thread.Close()
	}
	return errors.Join(err, c.device.Close())
}

func (c *copier) free() error {
	var errs []error
	if c.stream != nil {
		errs = append(errs, c.stream.Synchronize(), c.stream.Destroy())
	}
	for _, e := range []*cuda.Event{c.begin, c.end} {
		if e != nil {
			errs = append(errs, e.Destroy())
		}
	}
	return errors.Join(append(errs, c.host.Free(), c.memory.Free())...)
}
