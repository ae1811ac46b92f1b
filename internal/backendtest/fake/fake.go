package fake

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/imgvec/imgvec"
)

// Options say how the fake behaves. Calls of Run count from 1 and in the order in which they got their stream.
type Options struct {
	Spec    imgvec.Spec // zero: Spec(8, 4, 16)
	Streams int         // 0: 1

	Delay      time.Duration // what each Run takes
	DelayImage time.Duration // and each of its images on top

	FailAt   int   // this call fails, alone
	FailWith error // with this error; nil: a *imgvec.NativeError

	LoseAfter int // calls after this many fail with ErrLost: the device is gone; 0: never. Use LoseNow for "at once"

	HangAt int // this call does not return before Release, whatever its context says

	MemoryFor int // a batch of more images than this fails with imgvec.ErrOutOfMemory; 0: no limit

	RegisterWith error // what Register returns
}

// ErrLost is the error of a device that is gone; it wraps imgvec.ErrNoDevice.
var ErrLost = fmt.Errorf("fake: device lost: %w", imgvec.ErrNoDevice)

// Spec is that of a model with size x size RGB input and dim features.
func Spec(size, dim, maxBatch int) imgvec.Spec {
	return imgvec.Spec{
		Model: "fake", Input: "input", Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: "features", Dim: dim, MaxBatch: maxBatch,
		Preset: imgvec.Preset{
			InputSize: imgvec.Size{Height: size, Width: size}, CropMode: imgvec.CropCenter, ResizeSize: size,
			CropRound: imgvec.CropHalfEven, Interpolation: imgvec.Bilinear, Scale: 255,
			Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
		},
	}
}

// Features writes what the fake computes for one image: numbers in [-1, 1) that depend on every byte and nothing else.
func Features(dst []float32, image []uint8) {
	h := uint64(14695981039346656037)
	for ; len(image) >= 8; image = image[8:] {
		h = (h ^ binary.LittleEndian.Uint64(image)) * 1099511628211
		h ^= h >> 29
	}
	for _, b := range image {
		h = (h ^ uint64(b)) * 1099511628211
	}
	for i := range dst {
		h = h*6364136223846793005 + 1442695040888963407
		dst[i] = float32(int32(h>>32)) / (1 << 31)
	}
}

// Backend is the fake. It is safe for concurrent use.
type Backend struct {
	opts    Options
	streams chan struct{}
	release chan struct{}

	mu       sync.Mutex
	idle     sync.Cond // running became 0
	closed   bool
	lost     bool
	running  int
	stats    Stats
	released bool
}

// Stats counts what a fake was asked for.
type Stats struct {
	Calls      int // Runs that got a stream
	Images     int // images whose features came out
	Failed     int // Runs that returned an error
	Registered int // batches
	Most       int // most Runs inside at once
}

var _ imgvec.Backend = (*Backend)(nil)

// New makes a fake.
func New(opts Options) *Backend {
	if opts.Spec.Dim == 0 {
		opts.Spec = Spec(8, 4, 16)
	}
	if opts.Streams == 0 {
		opts.Streams = 1
	}
	b := &Backend{opts: opts, streams: make(chan struct{}, opts.Streams), release: make(chan struct{})}
	b.idle.L = &b.mu
	return b
}

// Spec is the one given.
func (b *Backend) Spec() imgvec.Spec { return b.opts.Spec }

// Streams is the number given.
func (b *Backend) Streams() int { return b.opts.Streams }

// Register counts.
func (b *Backend) Register(*imgvec.Batch) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("fake: register: %w", imgvec.ErrClosed)
	}
	b.stats.Registered++
	return b.opts.RegisterWith
}

// Stats is what happened so far.
func (b *Backend) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

// LoseNow takes the device away: Runs that start from now on fail with ErrLost.
func (b *Backend) LoseNow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = true
}

// Release lets a hung Run return. A test that makes one hang must call it before it ends.
func (b *Backend) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.released {
		b.released = true
		close(b.release)
	}
}

// Close waits for what runs, also for a hung Run.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for b.running > 0 {
		b.idle.Wait()
	}
	return nil
}

// Run computes Features of each image, in the way that Options say.
func (b *Backend) Run(ctx context.Context, batch *imgvec.Batch) error {
	if err := b.enter(batch); err != nil {
		return err
	}
	defer b.leave()
	if batch.Len() == 0 {
		return ctx.Err()
	}
	select {
	case b.streams <- struct{}{}:
		defer func() { <-b.streams }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := b.compute(batch)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.stats.Failed++
		return err
	}
	b.stats.Images += batch.Len()
	return nil
}

func (b *Backend) enter(batch *imgvec.Batch) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("fake: run: %w", imgvec.ErrClosed)
	}
	if most := b.opts.Spec.MaxBatch; most > 0 && batch.Len() > most {
		return fmt.Errorf("fake: run: batch of %d images is over the model's %d", batch.Len(), most)
	}
	b.running++
	return nil
}

func (b *Backend) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running--; b.running == 0 {
		b.idle.Broadcast()
	}
}

func (b *Backend) compute(batch *imgvec.Batch) error {
	b.mu.Lock()
	b.stats.Calls++
	call := b.stats.Calls
	b.stats.Most = max(b.stats.Most, len(b.streams))
	b.lost = b.lost || b.opts.LoseAfter > 0 && call > b.opts.LoseAfter
	lost := b.lost
	b.mu.Unlock()

	switch {
	case lost:
		return ErrLost
	case call == b.opts.FailAt && b.opts.FailWith != nil:
		return b.opts.FailWith
	case call == b.opts.FailAt:
		return &imgvec.NativeError{Lib: "fake", Op: "run", Code: 1, Msg: "told to fail"}
	case b.opts.MemoryFor > 0 && batch.Len() > b.opts.MemoryFor:
		return fmt.Errorf("fake: run: %w", imgvec.ErrOutOfMemory)
	case call == b.opts.HangAt:
		<-b.release
	}
	if d := b.opts.Delay + time.Duration(batch.Len())*b.opts.DelayImage; d > 0 {
		time.Sleep(d)
	}
	for i := range batch.Len() {
		Features(batch.Feature(i), batch.Image(i))
	}
	return nil
}
