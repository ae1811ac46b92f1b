package backendtest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
)

// noLimit is the batch that stands for MaxBatch where a model has no largest batch.
const noLimit = 8

// Run tests the backends that open gives. open is called several times, and its backends live side by side; the suite
// closes them. A model with a small picture keeps it fast.
func Run(t *testing.T, open func(t *testing.T) imgvec.Backend, tol Tolerance) {
	t.Run("Spec", func(t *testing.T) { testSpec(t, opened(t, open)) })
	t.Run("Sizes", func(t *testing.T) { testSizes(t, opened(t, open)) })
	t.Run("EverySizeAndPosition", func(t *testing.T) { testPositions(t, opened(t, open), tol) })
	t.Run("TellsPicturesApart", func(t *testing.T) { testApart(t, opened(t, open), tol) })
	t.Run("Deterministic", func(t *testing.T) { testDeterministic(t, opened(t, open)) })
	t.Run("Registered", func(t *testing.T) { testRegistered(t, opened(t, open)) })
	t.Run("Concurrent", func(t *testing.T) { testConcurrent(t, opened(t, open), tol) })
	t.Run("Cancelled", func(t *testing.T) { testCancelled(t, opened(t, open)) })
	t.Run("Closed", func(t *testing.T) { testClosed(t, opened(t, open)) })
	t.Run("CloseWhileRunning", func(t *testing.T) { testCloseWhileRunning(t, opened(t, open)) })
	t.Run("TwoInstances", func(t *testing.T) { testTwoInstances(t, opened(t, open), opened(t, open), tol) })
}

func opened(t *testing.T, open func(t *testing.T) imgvec.Backend) imgvec.Backend {
	t.Helper()
	backend := open(t)
	t.Cleanup(func() {
		if err := backend.Close(); err != nil {
			t.Errorf("Close at the end: %v", err)
		}
	})
	return backend
}

// maxBatch is the largest batch to test with.
func maxBatch(spec imgvec.Spec) int {
	if spec.MaxBatch == 0 {
		return noLimit
	}
	return spec.MaxBatch
}

// run runs a batch that must succeed.
func run(t *testing.T, backend imgvec.Backend, batch *imgvec.Batch) {
	t.Helper()
	if err := backend.Run(t.Context(), batch); err != nil {
		t.Fatalf("Run of %d images: %v", batch.Len(), err)
	}
}

// alone is the feature vector of the picture of seed, from a batch of one.
func alone(t *testing.T, backend imgvec.Backend, seed int) []float32 {
	t.Helper()
	batch := NewBatch(t, backend.Spec(), 1, 0)
	Picture(batch.Image(0), backend.Spec().Preset.InputSize, uint64(seed))
	batch.SetLen(1)
	run(t, backend, batch)
	return slices.Clone(batch.Feature(0))
}

func testSpec(t *testing.T, backend imgvec.Backend) {
	spec := backend.Spec()
	if spec.Dim <= 0 || spec.Feature == "" || spec.MaxBatch < 0 || backend.Streams() < 1 {
		t.Errorf("spec %+v with %d streams is not complete", spec, backend.Streams())
	}
	if err := spec.Preset.Check(); err != nil {
		t.Error(err)
	}
}

func testSizes(t *testing.T, backend imgvec.Backend) {
	spec := backend.Spec()
	most := maxBatch(spec)
	for _, n := range []int{0, 1, most} {
		batch := NewBatch(t, spec, most, n)
		run(t, backend, batch)
		for i := range most {
			written := batch.Feature(i)[0] != poison && batch.Feature(i)[spec.Dim-1] != poison
			if written != (i < n) {
				t.Errorf("batch of %d: features of image %d written: %v", n, i, written)
			}
		}
	}
	err := backend.Run(t.Context(), NewBatch(t, spec, most+1, most+1))
	if over := spec.MaxBatch > 0; over != (err != nil) {
		t.Errorf("batch of %d with MaxBatch %d: %v", most+1, spec.MaxBatch, err)
	}
}

func testPositions(t *testing.T, backend imgvec.Backend, tol Tolerance) {
	spec := backend.Spec()
	most := maxBatch(spec)
	want := make([][]float32, most)
	for i := range want {
		want[i] = alone(t, backend, i)
	}
	for n := 1; n <= most; n++ {
		batch := NewBatch(t, spec, most, n)
		run(t, backend, batch)
		for i := range n {
			if err := tol.check(batch.Feature(i), want[i]); err != nil {
				t.Errorf("image %d of a batch of %d: %v", i, n, err)
			}
		}
	}
}

// testApart guards the others: a backend that gives one vector for all pictures would pass them.
func testApart(t *testing.T, backend imgvec.Backend, tol Tolerance) {
	if err := tol.check(alone(t, backend, 1), alone(t, backend, 2)); err == nil {
		t.Error("two pictures have the same features")
	}
}

func testDeterministic(t *testing.T, backend imgvec.Backend) {
	batch := NewBatch(t, backend.Spec(), maxBatch(backend.Spec()), maxBatch(backend.Spec()))
	run(t, backend, batch)
	first := slices.Clone(batch.Features)
	pixels := slices.Clone(batch.Pixels)
	run(t, backend, batch)
	if !slices.Equal(first, batch.Features) {
		t.Error("the same batch gave other features the second time")
	}
	if !slices.Equal(pixels, batch.Pixels) {
		t.Error("Run changed the pixels")
	}
}

func testRegistered(t *testing.T, backend imgvec.Backend) {
	batch := NewBatch(t, backend.Spec(), 1, 1)
	if err := backend.Register(batch); err != nil {
		t.Fatalf("Register: %v", err)
	}
	run(t, backend, batch)
	if want := alone(t, backend, 0); !slices.Equal(batch.Feature(0), want) {
		t.Error("a registered batch has other features than one that is not")
	}
}

// testConcurrent has more callers than streams, each with pictures of its own.
func testConcurrent(t *testing.T, backend imgvec.Backend, tol Tolerance) {
	spec := backend.Spec()
	callers := 2*backend.Streams() + 1
	n := min(3, maxBatch(spec))
	batch := NewBatch(t, spec, n, n)
	run(t, backend, batch)
	want := slices.Clone(batch.Features)

	var wg sync.WaitGroup
	for range callers {
		own := NewBatch(t, spec, n, n)
		wg.Go(func() {
			for range 4 {
				if err := backend.Run(t.Context(), own); err != nil {
					t.Errorf("Run: %v", err)
					return
				}
				for i := range n {
					if err := tol.check(own.Feature(i), want[i*spec.Dim:(i+1)*spec.Dim]); err != nil {
						t.Errorf("image %d beside other callers: %v", i, err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func testCancelled(t *testing.T, backend imgvec.Backend) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	batch := NewBatch(t, backend.Spec(), 1, 1)
	if err := backend.Run(ctx, batch); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with a cancelled context: %v", err)
	}
	if batch.Feature(0)[0] != poison {
		t.Error("Run with a cancelled context computed features")
	}
	run(t, backend, batch) // the stream came back
}

func testClosed(t *testing.T, backend imgvec.Backend) {
	batch := NewBatch(t, backend.Spec(), 1, 1)
	run(t, backend, batch)
	for range 2 {
		if err := backend.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if err := backend.Run(t.Context(), batch); !errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("Run after Close: %v", err)
	}
	if backend.Spec().Dim <= 0 {
		t.Error("Spec after Close is empty")
	}
}

// testCloseWhileRunning closes under callers: each Run either computes or says closed, nothing crashes.
func testCloseWhileRunning(t *testing.T, backend imgvec.Backend) {
	spec := backend.Spec()
	want := alone(t, backend, 0)
	started := make(chan struct{}, 64)
	var wg sync.WaitGroup
	for range backend.Streams() + 1 {
		batch := NewBatch(t, spec, 1, 1)
		wg.Go(func() {
			for {
				batch.Feature(0)[0] = poison
				err := backend.Run(t.Context(), batch)
				if errors.Is(err, imgvec.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("Run beside Close: %v", err)
					return
				}
				if batch.Feature(0)[0] == poison || len(want) != spec.Dim {
					t.Error("Run beside Close returned without features")
				}
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	<-started
	for range 2 { // two at once
		wg.Go(func() {
			if err := backend.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(time.Minute):
		t.Fatal("Close and the Runs beside it did not end within a minute")
	}
}

// testTwoInstances closes one of two and goes on with the other; a batch may travel between them.
func testTwoInstances(t *testing.T, first, second imgvec.Backend, tol Tolerance) {
	batch := NewBatch(t, first.Spec(), 1, 1)
	run(t, first, batch)
	want := slices.Clone(batch.Feature(0))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, second, batch)
	if err := tol.check(batch.Feature(0), want); err != nil {
		t.Errorf("the same batch on another instance: %v", err)
	}
}
