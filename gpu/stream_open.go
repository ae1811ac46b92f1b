package gpu

import (
	"errors"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/cuda"
	"github.com/imgvec/imgvec/internal/ort"
)

// warmups is how often each bucket runs before the first batch: the first run captures a CUDA graph, the second replays it.
const warmups = 2

// open makes a stream of the backend and everything in it. What was made is free's, also after an error.
func (s *stream) open(o *opening) (err error) {
	if s.thread, err = s.b.device.NewThread(); err != nil {
		return err
	}
	return s.thread.Do(func() error {
		if err := s.make(o); err != nil {
			return err
		}
		return s.warm()
	})
}

// make makes all that the stream holds.
func (s *stream) make(o *opening) error {
	for _, step := range []func() error{s.makeStreams, s.allocate, func() error { return s.bind(o) }} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) makeStreams() (err error) {
	for _, to := range []**cuda.Stream{&s.in, &s.compute, &s.out} {
		if *to, err = s.b.device.NewStream(); err != nil {
			return err
		}
	}
	for i := range s.marks {
		if s.marks[i], err = s.b.device.NewEvent(true); err != nil {
			return err
		}
	}
	return nil
}

// allocate makes the memory for one batch of the largest bucket.
func (s *stream) allocate() (err error) {
	b := s.b
	n, pixels, dim := int64(b.info.Batch), int64(b.spec.ImageLen()), int64(b.spec.Dim)
	for _, m := range []struct {
		to    **cuda.DeviceMemory
		bytes int64
		p     cuda.Purpose
	}{
		{&s.pixels, n * pixels, cuda.Pixels},
		{&s.input, n * pixels * int64(b.fit.Input.DType.Size()), cuda.Input},
		{&s.output, n * dim * int64(b.fit.Output.DType.Size()), cuda.Output},
		{&s.features, n * dim * 4, cuda.Features},
	} {
		if m.p == cuda.Features && b.kernels.finish.name == "" {
			continue
		}
		if *m.to, err = b.device.Alloc(m.bytes, m.p); err != nil {
			return err
		}
	}
	if s.staging, err = b.device.AllocPinned(n*pixels, cuda.Staging); err != nil {
		return err
	}
	s.results, err = b.device.AllocPinned(n*dim*4, cuda.Staging)
	return err
}

// bind opens the stream's sessions and binds each bucket to the beginning of the same memory.
func (s *stream) bind(o *opening) error {
	b := s.b
	for _, sizes := range o.perSession() {
		session, err := ort.OpenDevice(o.path, b.spec.Input, b.spec.Feature, o.session(s.compute.Handle(), sizes))
		if err != nil {
			return err
		}
		s.sessions = append(s.sessions, session)
		for i, n := range sizes {
			graph := 0
			if o.graphs {
				graph = i + 1
			}
			binding, err := session.Bind(
				ort.DeviceTensor{Addr: s.input.Addr(), Element: b.fit.Input.DType, Shape: ort.InputShape(b.spec, int64(n))},
				ort.DeviceTensor{Addr: s.output.Addr(), Element: b.fit.Output.DType, Shape: b.fit.OutputShape(n)}, graph)
			if err != nil {
				return err
			}
			s.bindings = append(s.bindings, binding)
		}
	}
	return nil
}

// warm runs every bucket, largest first so that the session's memory grows once: kernels are chosen and graphs captured
// here, and the places behind the end of a batch hold numbers from here on.
func (s *stream) warm() error {
	spec := s.b.spec
	pixels := s.staging.Bytes()
	for i := range pixels {
		pixels[i] = byte(i*7 + i>>8) // no picture, but no zeros: those may be faster than real ones
	}
	for i := len(s.b.info.Buckets) - 1; i >= 0; i-- {
		n := s.b.info.Buckets[i]
		for range warmups {
			if err := s.pass(s.staging.Part(0, n*spec.ImageLen()), s.results.Part(0, n*spec.Dim*4), n); err != nil {
				return err
			}
		}
	}
	ort.FixSignals() // the first run opens more libraries
	for i := range s.b.busy {
		s.b.busy[i].Store(0)
	}
	return nil
}

// free gives everything back, as far as it was made.
func (s *stream) free() error {
	if s.thread == nil {
		return nil
	}
	defer s.thread.Close()
	return s.thread.Do(func() error {
		var errs []error
		if errors.Is(s.drain(), imgvec.ErrNoDevice) {
			// ONNX Runtime's destructors end the process where a CUDA graph can't be given back: they are left out.
			s.bindings, s.sessions = nil, nil
		}
		for _, binding := range s.bindings {
			errs = append(errs, binding.Close())
		}
		for _, session := range s.sessions {
			errs = append(errs, session.Close())
		}
		for _, m := range []*cuda.DeviceMemory{s.pixels, s.input, s.output, s.features} {
			errs = append(errs, m.Free())
		}
		errs = append(errs, s.staging.Free(), s.results.Free())
		for _, e := range s.marks {
			if e != nil {
				errs = append(errs, e.Destroy())
			}
		}
		for _, c := range []*cuda.Stream{s.in, s.compute, s.out} {
			if c != nil {
				errs = append(errs, c.Destroy())
			}
		}
		return errors.Join(errs...)
	})
}
