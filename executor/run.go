package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/imgvec/imgvec"
)

// errHung is the error of a device that did not answer within DeviceTimeout.
var errHung = errors.New("no answer within the device timeout")

// batchRun is one filled batch on its way through the devices.
type batchRun struct {
	e     *Executor
	buf   *buffer
	n     int       // images in it
	done  int       // of those, the first so many have their features
	fails int       // errors that may have been the batch's own fault
	avoid *instance // the one that failed it last
}

// run computes the features of buf's first n images, on whatever devices are left. It returns the batch that holds
// them: another one than buf where a device ran away with that, and nil where there is none to give back.
func (e *Executor) run(ctx context.Context, buf *buffer, n int, b *busy) (*buffer, error) {
	r := &batchRun{e: e, buf: buf, n: n}
	for r.done < n {
		start := time.Now()
		in, err := e.devices.acquire(ctx, r.avoid)
		b.add(stageQueue, time.Since(start), 0)
		if err != nil {
			return r.buf, err
		}
		err = r.step(ctx, in, b)
		e.devices.release(in)
		if err != nil {
			return r.buf, err
		}
	}
	return r.buf, nil
}

// step runs as much of the batch as the instance takes at once, and decides what a failure means. An error is fatal to
// the call.
func (r *batchRun) step(ctx context.Context, in *instance, b *busy) error {
	size := min(r.n-r.done, int(in.limit.Load()))
	answered, err := r.submit(ctx, in, size, b)
	switch {
	case err == nil:
		in.failures.Store(0)
		in.images.Add(int64(size))
		r.done += size
		return nil
	case errors.Is(err, errHung):
		return r.rescue(in, answered)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, imgvec.ErrOutOfMemory) && in.halve(size):
		r.e.note("%s: out of memory for %d images at once, goes on with %d", in.name, size, in.limit.Load())
		return nil
	case errors.Is(err, imgvec.ErrOutOfMemory) && r.e.drop(in, err): // not for one image; others may have more
		return nil
	case errors.Is(err, imgvec.ErrNoDevice) || errors.Is(err, imgvec.ErrClosed):
		return r.e.lose(in, err)
	}
	return r.failed(in, size, err)
}

// failed is for errors that may lie in the batch or in the device: once more, elsewhere if there is an elsewhere.
func (r *batchRun) failed(in *instance, size int, err error) error {
	if r.fails++; r.fails > 1 {
		return fmt.Errorf("%s: run %d images: %w", in.name, size, err)
	}
	r.avoid = in
	r.e.note("%s: a batch failed and is run once more: %v", in.name, err)
	if in.failures.Add(1) >= strikes {
		r.e.drop(in, err)
	}
	return nil
}

// submit runs the next size images on the instance. With errHung comes a channel that is closed when the device has
// answered after all.
func (r *batchRun) submit(ctx context.Context, in *instance, size int, b *busy) (<-chan struct{}, error) {
	batch := r.buf.part(r.e.spec, r.done, size)
	r.e.pad(batch, in)
	defer b.run(in, time.Now(), size)
	if in.timeout <= 0 {
		return nil, in.backend.Run(ctx, batch)
	}
	answer, answered := error(nil), make(chan struct{})
	go func() {
		defer close(answered)
		answer = in.backend.Run(ctx, batch)
	}()
	timer := time.NewTimer(in.timeout)
	defer timer.Stop()
	select {
	case <-answered:
		return nil, answer
	case <-timer.C:
		return answered, fmt.Errorf("%w of %v", errHung, in.timeout)
	}
}

// pad fills the batch up to the size that all batches of the instance have, where that is asked for.
func (e *Executor) pad(b *imgvec.Batch, in *instance) {
	if !e.deterministic {
		return
	}
	n, full := b.Len(), min(b.Cap(), int(in.limit.Load()))
	if full <= n {
		return
	}
	size := e.spec.ImageLen()
	clear(b.Pixels[n*size : full*size])
	b.SetLen(full)
	e.totals.padding.Add(int64(full - n))
}

// rescue takes the batch away from a device that does not answer: its memory is left alone, for the device may still
// read and write it, and the work goes on with a copy.
func (r *batchRun) rescue(in *instance, answered <-chan struct{}) error {
	old := r.buf
	r.buf = nil
	r.e.ring.abandon(old)
	r.e.mu.Lock()
	r.e.abandoned = append(r.e.abandoned, abandoned{old, int64(len(old.mem)), in, answered})
	r.e.mu.Unlock()
	if err := r.e.lose(in, fmt.Errorf("%w of %v", errHung, in.timeout)); err != nil {
		return err
	}
	fresh, err := r.e.ring.grow() // not registered: that asks all devices of the process, and this one would not answer
	if err != nil {
		r.e.kill(err) // the ring is one short for good
		return err
	}
	copy(fresh.Pixels, old.Pixels)
	copy(fresh.Features, old.Features[:r.done*r.e.spec.Dim])
	r.buf = fresh
	return nil
}

// register makes the batch's memory fast for all devices. One that cannot be registered is only slower.
func (e *Executor) register(buf *buffer) {
	for _, in := range e.devices.all {
		if in.lost.Load() {
			continue
		}
		if err := in.backend.Register(buf.Batch); err != nil {
			e.note("%s: batch memory stays unregistered: %v", in.name, err)
		}
	}
}

// lose takes the instance out of the rotation. The error, if any, says that it was the last one, which ends the
// executor.
func (e *Executor) lose(in *instance, cause error) error {
	left, first := e.devices.lose(in)
	if first {
		e.note("%s: lost: %v", in.name, cause)
	}
	if left > 0 {
		return nil
	}
	err := fmt.Errorf("%s: lost, and no device is left: %w", in.name, cause)
	if !errors.Is(err, imgvec.ErrNoDevice) {
		err = fmt.Errorf("%w: %w", imgvec.ErrNoDevice, err)
	}
	e.kill(err)
	return err
}

// drop takes an instance out of the rotation that others can replace, and tells whether it is out.
func (e *Executor) drop(in *instance, cause error) bool {
	out, first := e.devices.drop(in)
	if first {
		e.note("%s: lost: %v", in.name, cause)
	}
	return out
}
