package executor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest/fake"
)

func TestExtractKeepsOrderAtEverySize(t *testing.T) {
	e := open(t, func(s *setup) { s.dec.delay = jitter(time.Millisecond) })
	for _, n := range []int{0, 1, 2, 7, 8, 9, 31, 32, 33, 100} {
		all := pictures(n)
		results, err := e.Extract(all)
		if err != nil || results == nil || len(results) != n {
			t.Fatalf("%d images: %d results, %v", n, len(results), err)
		}
		for i, r := range results {
			check(t, e.Spec(), r, i, all[i])
		}
	}
}

func TestClaimSizes(t *testing.T) {
	for _, c := range []struct {
		images, batch, workers int
		want                   string
	}{
		{0, 8, 2, "[]"},
		{1, 8, 2, "[1]"},
		{8, 8, 2, "[4 4]"},
		{8, 8, 8, "[1 1 1 1 1 1 1 1]"},
		{8, 8, 1, "[8]"},
		{3, 8, 8, "[1 1 1]"},
		{64, 8, 2, "[8 8 8 8 8 8 8 8]"},
		{64, 8, 8, "[8 8 8 8 8 8 8 8]"},
		{64, 256, 16, "[4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4]"},
		{25, 8, 2, "[8 8 5 4]"},
		{9, 8, 2, "[5 4]"},
	} {
		sizes := []int{}
		for k := newClaims(c.images, c.batch, c.workers); ; {
			from, to := k.take()
			if from == to {
				break
			}
			sizes = append(sizes, to-from)
		}
		if got := fmt.Sprint(sizes); got != c.want {
			t.Errorf("%d images, batch %d, %d workers: tickets %s, want %s", c.images, c.batch, c.workers, got, c.want)
		}
	}
}

func TestFewImagesUseAllWorkers(t *testing.T) {
	var gate sync.WaitGroup // opens only when four workers are inside at once
	gate.Add(4)
	e := open(t, func(s *setup) {
		s.dec.before = func(context.Context, []byte) { gate.Done(); gate.Wait() }
	})
	if _, err := e.Extract(pictures(4)); err != nil {
		t.Fatal(err)
	}
}

func TestFailedImagesFailAloneAndTakeNoPlace(t *testing.T) {
	backend := fake.New(fake.Options{})
	e := open(t, func(s *setup) { s.workers = 1 }, backend)
	all := [][]byte{data(0), []byte("bad"), data(2), nil, {}, []byte("panic"), data(6), []byte("bad"), data(8)}
	results, err := e.Extract(all)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if i%2 == 0 && i != 4 {
			check(t, e.Spec(), r, i, all[i])
			continue
		}
		var image *imgvec.ImageError
		if r.Features != nil || !errors.As(r.Err, &image) || image.Index != i || !errors.Is(r.Err, imgvec.ErrDecode) {
			t.Errorf("image %d: features %v, error %v", i, r.Features, r.Err)
		}
	}
	if !errors.Is(results[1].Err, errBad) || results[1].Width != 7 || results[1].Height != 8 {
		t.Errorf("result of the bad image: %+v", results[1])
	}
	if s := e.Stats(); s.Images != 9 || s.Failed != 5 {
		t.Errorf("stats: %d images, %d failed", s.Images, s.Failed)
	}
	if got := backend.Stats().Images; got != 4 {
		t.Errorf("the device computed %d images, want the 4 good ones", got)
	}
}

func TestAllImagesOfABatchFail(t *testing.T) {
	backend := fake.New(fake.Options{})
	e := open(t, nil, backend)
	results, err := e.Extract([][]byte{[]byte("bad"), nil})
	if err != nil || results[0].Err == nil || results[1].Err == nil {
		t.Fatalf("%v, %v", results, err)
	}
	if n := backend.Stats().Calls; n != 0 {
		t.Errorf("the device ran %d empty batches", n)
	}
}

func TestFeaturesAreTheCallers(t *testing.T) {
	e := open(t, nil)
	first, err := e.Extract(pictures(8))
	if err != nil {
		t.Fatal(err)
	}
	for i := range first {
		row := first[i].Features
		for k := range row {
			row[k] = 9
		}
		_ = append(row, 9) // must not run into a neighbour
	}
	second, err := e.Extract(pictures(8))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range second {
		check(t, e.Spec(), r, i, data(i))
		for _, v := range first[i].Features {
			if v != 9 {
				t.Fatalf("a later call wrote into row %d", i)
			}
		}
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	e := open(t, func(s *setup) { s.dec.delay = jitter(200 * time.Microsecond) })
	var wg sync.WaitGroup
	for k := range 32 {
		wg.Go(func() {
			for n := range 8 {
				all := make([][]byte, n+k%5)
				for i := range all {
					all[i] = data(1000*k + 100*n + i)
				}
				results, err := e.Extract(all)
				if err != nil || len(results) != len(all) {
					t.Errorf("caller %d: %d results, %v", k, len(results), err)
					return
				}
				for i, r := range results {
					check(t, e.Spec(), r, i, all[i])
				}
			}
		})
	}
	wg.Wait()
}

func TestCancelledExtract(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var count atomic.Int64
	e := open(t, func(s *setup) {
		s.workers = 1
		s.dec.count = &count
		s.dec.before = func(context.Context, []byte) { cancel() }
	})
	results, err := e.ExtractContext(ctx, pictures(100))
	if n := count.Load(); n != 1 {
		t.Errorf("%d images were decoded after the cancellation", n-1)
	}
	if results != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled on the way: %d results, %v", len(results), err)
	}
	if _, err := e.ExtractContext(ctx, pictures(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	why := errors.New("why")
	ctx, cancelCause := context.WithCancelCause(context.Background())
	cancelCause(why)
	if _, err := e.ExtractContext(ctx, nil); !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled with a cause: %v", err)
	}
}

func TestCloseDuringExtract(t *testing.T) {
	started := make(chan bool, 1000)
	e := open(t, func(s *setup) {
		s.dec.before = func(context.Context, []byte) { started <- true }
		s.dec.delay = jitter(2 * time.Millisecond)
	})
	done := make(chan error, 1)
	go func() {
		_, err := e.Extract(pictures(1000))
		done <- err
	}()
	<-started
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("extract: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := e.Extract(pictures(1)); !errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("extract after close: %v", err)
	}
	if s := e.Stats(); s.BatchBytes != 0 {
		t.Errorf("after close %d bytes are left", s.BatchBytes)
	}
}

func TestCloseFromManyGoroutines(t *testing.T) {
	e := open(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if batchBytes := e.ring.bytes(); batchBytes != 0 {
				t.Error("a Close came back before the end")
			}
		})
	}
	wg.Wait()
}

func TestTwoExecutorsAtOnce(t *testing.T) {
	a, b := open(t, nil), open(t, func(s *setup) { s.workers, s.batch = 2, 3 })
	var wg sync.WaitGroup
	for _, e := range []*Executor{a, b} {
		wg.Go(func() {
			for range 20 {
				results, err := e.Extract(pictures(50))
				if err != nil {
					t.Error(err)
					return
				}
				for i, r := range results {
					check(t, e.Spec(), r, i, data(i))
				}
			}
		})
	}
	wg.Wait()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Extract(pictures(9)); err != nil {
		t.Errorf("one executor's end ended the other: %v", err)
	}
}

func TestNormalize(t *testing.T) {
	e := open(t, func(s *setup) { s.normalize = true })
	results, err := e.Extract(pictures(3))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		want := expected(e.Spec(), data(i))
		var length, dot, norm float64
		for k, v := range r.Features {
			length += float64(v) * float64(v)
			dot += float64(v) * float64(want[k])
			norm += float64(want[k]) * float64(want[k])
		}
		if math.Abs(length-1) > 1e-6 || math.Abs(dot/math.Sqrt(norm)-1) > 1e-6 {
			t.Errorf("row %d: squared length %v, cosine to the raw row %v", i, length, dot/math.Sqrt(norm))
		}
	}
	zero := []float32{0, 0}
	if normalize(zero); zero[0] != 0 || zero[1] != 0 {
		t.Errorf("zero vector became %v", zero)
	}
}

func TestDeterministicPadsEveryBatch(t *testing.T) {
	sizes := &sizesOf{Backend: fake.New(fake.Options{Streams: 4})}
	e := open(t, func(s *setup) { s.deterministic = true }, sizes)
	all := append(pictures(9), []byte("bad"))
	results, err := e.Extract(all)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results[:9] {
		check(t, e.Spec(), r, i, all[i])
	}
	sizes.mu.Lock()
	defer sizes.mu.Unlock()
	for _, n := range sizes.seen {
		if n != 8 {
			t.Errorf("batches of %v, want 8 only", sizes.seen)
		}
	}
	if s := e.Stats(); s.Images != 10 || s.Padding != int64(8*len(sizes.seen)-9) {
		t.Errorf("stats: %d images, %d padded slots", s.Images, s.Padding)
	}
}

// sizesOf notes the size of each batch.
type sizesOf struct {
	imgvec.Backend
	mu   sync.Mutex
	seen []int
}

func (s *sizesOf) Run(ctx context.Context, b *imgvec.Batch) error {
	s.mu.Lock()
	s.seen = append(s.seen, b.Len())
	s.mu.Unlock()
	return s.Backend.Run(ctx, b)
}
