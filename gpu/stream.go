package gpu

import (
	"errors"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/cuda"
	"github.com/imgvec/imgvec/internal/ort"
)

// stream is all that one batch in flight needs. One goroutine at a time holds it; everything in it but open and free is
// called on its thread.
type stream struct {
	b      *Backend
	thread *cuda.Thread

	in, compute, out *cuda.Stream
	marks            [markCount]*cuda.Event

	pixels   *cuda.DeviceMemory // uint8 [batch, height, width, 3]
	input    *cuda.DeviceMemory // the model's
	output   *cuda.DeviceMemory // the model's
	features *cuda.DeviceMemory // float32 [batch, dim]; nil where output is that

	staging, results *cuda.PinnedMemory // for batches that were not registered

	sessions []*ort.DeviceSession
	bindings []*ort.Binding // one a bucket
}

// mark is an event on the way of a batch.
type mark int

const (
	markStart      mark = iota // copy-in stream: before the copy
	markCopied                 // copy-in stream: pixels are on the device
	markReady                  // compute stream: it has seen them
	markNormalised             // compute stream: the input is there
	markComputed               // compute stream: the features are there
	markLeave                  // copy-out stream: it has seen them
	markDone                   // copy-out stream: they are on the host
	markCount
)

// stage is a step that Busy tells apart: the time between two marks.
type stage int

const (
	stageH2D stage = iota
	stageNormalize
	stageSession
	stageD2H
	stageCount
)

var stageMarks = [stageCount][2]mark{
	stageH2D:       {markStart, markCopied},
	stageNormalize: {markReady, markNormalised},
	stageSession:   {markNormalised, markComputed},
	stageD2H:       {markLeave, markDone},
}

// run computes the features of images from..from+n of the batch; n is at most the largest bucket. It returns when they
// are in the batch's memory.
func (s *stream) run(batch *imgvec.Batch, from, n int) error {
	spec := s.b.spec
	pixels := batch.Pixels[from*spec.ImageLen() : (from+n)*spec.ImageLen()]
	features := bytesOf(batch.Features[from*spec.Dim : (from+n)*spec.Dim])
	source, ok := s.b.registry.find(pixels)
	if !ok {
		copy(s.staging.Bytes(), pixels)
		source = s.staging.Part(0, len(pixels))
	}
	target, direct := s.b.registry.find(features)
	if !direct {
		target = s.results.Part(0, len(features))
	}
	if err := s.pass(source, target, n); err != nil {
		return err
	}
	if !direct {
		copy(features, target.Bytes())
	}
	return nil
}

// pass queues the way of n images and waits for its end. Where a step can't be queued, those before it may still use the
// batch's memory, so they are waited for too.
func (s *stream) pass(source, target cuda.Pinned, n int) error {
	index := bucket(s.b.info.Buckets, n)
	err := s.queue(source, target, n, index)
	if err != nil {
		return errors.Join(err, s.bindings[index].Err(), s.drain())
	}
	if err := s.marks[markDone].Synchronize(); err != nil {
		return err
	}
	if err := s.bindings[index].Err(); err != nil {
		return err
	}
	return s.count()
}

// queue puts the steps on the three streams, each behind the mark of the one before.
func (s *stream) queue(source, target cuda.Pinned, n, index int) error {
	for _, step := range []func() error{
		func() error { return s.mark(markStart, s.in) },
		func() error { return s.in.CopyIn(s.pixels, 0, source) },
		func() error { return s.mark(markCopied, s.in) },
		func() error { return s.compute.Wait(s.marks[markCopied]) },
		func() error { return s.mark(markReady, s.compute) },
		func() error { return s.normalize(n) },
		func() error { return s.mark(markNormalised, s.compute) },
		func() error { return s.session(index) },
		func() error { return s.finish(n) },
		func() error { return s.mark(markComputed, s.compute) },
		func() error { return s.out.Wait(s.marks[markComputed]) },
		func() error { return s.mark(markLeave, s.out) },
		func() error { return s.out.CopyOut(target, s.answer(), 0) },
		func() error { return s.mark(markDone, s.out) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) mark(m mark, on *cuda.Stream) error { return s.marks[m].Record(on) }

// normalize queues pixels -> input for n images.
func (s *stream) normalize(n int) error {
	k, preset := &s.b.kernels, s.b.spec.Preset
	area := int64(preset.InputSize.Height) * int64(preset.InputSize.Width)
	bgr := uint64(0)
	if preset.ChannelOrder == imgvec.BGR {
		bgr = 1
	}
	const channels = 3
	return k.launch(s.compute, k.normalize, int64(n)*area,
		s.input.Addr(), s.pixels.Addr(), k.table.Addr(), uint64(n), uint64(area), channels, bgr)
}

// session queues input -> output for a bucket. On the simulated driver the network is a host function of the stream.
func (s *stream) session(index int) error {
	if s.b.simulated {
		return s.compute.HostFunc(s.bindings[index].HostFunc())
	}
	return s.bindings[index].Run()
}

// finish queues output -> features for n images, where they are not the same.
func (s *stream) finish(n int) error {
	k, dim := &s.b.kernels, s.b.spec.Dim
	switch {
	case k.finish.name == "":
		return nil
	case s.b.normalize:
		return k.launch(s.compute, k.finish, int64(n), s.features.Addr(), s.output.Addr(), uint64(n), uint64(dim))
	}
	count := n * dim
	return k.launch(s.compute, k.finish, int64(count), s.features.Addr(), s.output.Addr(), uint64(count))
}

// answer is the memory that the features leave from.
func (s *stream) answer() *cuda.DeviceMemory {
	if s.features != nil {
		return s.features
	}
	return s.output
}

// resident runs the session alone.
func (s *stream) resident(n int) error {
	index := bucket(s.b.info.Buckets, n)
	if err := errors.Join(s.session(index), s.mark(markDone, s.compute)); err != nil {
		return errors.Join(err, s.drain())
	}
	return errors.Join(s.marks[markDone].Synchronize(), s.bindings[index].Err())
}

// drain waits for whatever was queued, as far as there are streams.
func (s *stream) drain() error {
	var errs []error
	for _, on := range []*cuda.Stream{s.in, s.compute, s.out} {
		if on != nil {
			errs = append(errs, on.Synchronize())
		}
	}
	return errors.Join(errs...)
}

// count adds the pass that just ended to the backend's times.
func (s *stream) count() error {
	for i, between := range stageMarks {
		d, err := s.marks[between[1]].Since(s.marks[between[0]])
		if err != nil {
			return err
		}
		s.b.busy[i].Add(int64(max(d, time.Duration(0))))
	}
	return nil
}
