package executor

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest/fake"
)

func TestStreamKeepsOrderUnderRandomDelays(t *testing.T) {
	backend := &randomRun{fake.New(fake.Options{Streams: 4})}
	e := open(t, func(s *setup) { s.dec.delay = jitter(time.Millisecond) }, backend)
	for _, n := range []int{0, 1, 8, 9, 500} {
		next := 0
		for r, err := range e.Stream(context.Background(), items(n)) {
			if err != nil {
				t.Fatal(err)
			}
			check(t, e.Spec(), r, next, data(next))
			next++
		}
		if next != n {
			t.Fatalf("%d of %d results", next, n)
		}
	}
}

// randomRun answers after a random time.
type randomRun struct{ *fake.Backend }

func (b *randomRun) Run(ctx context.Context, batch *imgvec.Batch) error {
	time.Sleep(jitter(3 * time.Millisecond)(nil))
	return b.Backend.Run(ctx, batch)
}

func TestMillionItems(t *testing.T) {
	total := 1_000_000
	if testing.Short() || raceEnabled {
		total = 100_000
	}
	backend := fake.New(fake.Options{Streams: 8})
	e := open(t, func(s *setup) { s.workers = 8 }, backend)
	deadline := time.Now().Add(time.Minute)
	next := 0
	for r, err := range e.Stream(context.Background(), items(total)) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Index != next || r.Err != nil {
			t.Fatalf("result %d has index %d, error %v", next, r.Index, r.Err)
		}
		if next%9973 == 0 {
			check(t, e.Spec(), r, next, data(next))
		}
		next++
	}
	if next != total {
		t.Fatalf("%d of %d results", next, total)
	}
	if time.Now().After(deadline) {
		t.Error("it took over a minute")
	}
	if full := int64((total + 7) / 8); e.Stats().Batches > full+16 {
		t.Errorf("%d batches for %d images: they were not full", e.Stats().Batches, total)
	}
}

func TestOneSlowImageHoldsTheOthersBack(t *testing.T) {
	const bound = 2 * 4 * 8 // twice the ring's tickets
	var count atomic.Int64
	var over, released atomic.Bool
	release := make(chan bool)
	e := open(t, func(s *setup) {
		s.dec.count = &count
		s.dec.before = func(_ context.Context, picture []byte) {
			if n := count.Load(); n > bound && !released.Load() { // in this order: n is from before the release
				over.Store(true)
			}
			if bytes.Equal(picture, data(0)) {
				<-release
			}
		}
	})
	go func() {
		defer close(release)
		defer released.Store(true)
		for end := time.Now().Add(time.Minute); count.Load() < bound/2; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%d images were decoded behind a slow one in a minute, want most of %d", count.Load(), bound)
				return
			}
		}
		time.Sleep(50 * time.Millisecond) // a chance to go too far; on a loaded machine it is a smaller one
	}()
	n := 0
	for _, err := range e.Stream(context.Background(), items(1000)) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if over.Load() {
		t.Errorf("over %d images were decoded behind a slow one", bound)
	}
	if n != 1000 {
		t.Errorf("%d results", n)
	}
}

func TestSlowReaderHoldsTheWorkersBack(t *testing.T) {
	var count atomic.Int64
	e := open(t, func(s *setup) { s.dec.count = &count })
	n := int64(0)
	for _, err := range e.Stream(context.Background(), items(2000)) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%50 == 0 {
			time.Sleep(time.Millisecond)
		}
		if ahead := count.Load() - n; ahead > 2*4*8 {
			t.Fatalf("%d images were decoded ahead of the reader", ahead)
		}
	}
}

func TestBreakStopsAllWork(t *testing.T) {
	var count atomic.Int64
	ended := false
	e := open(t, func(s *setup) { s.dec.count = &count; s.dec.delay = jitter(time.Millisecond) })
	endless := func(yield func(imgvec.Item) bool) {
		defer func() { ended = true }()
		for i := 0; yield(imgvec.Item{Data: data(i)}); i++ {
		}
	}
	for r, err := range e.Stream(context.Background(), endless) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Index == 20 {
			break
		}
	}
	if !ended {
		t.Error("the loop ended before the input did")
	}
	then := count.Load()
	time.Sleep(20 * time.Millisecond)
	if count.Load() != then {
		t.Error("images were decoded after the loop's end")
	}
	if _, err := e.Extract(pictures(3)); err != nil {
		t.Errorf("the executor is of no use after a break: %v", err)
	}
}

func TestCancelledStreamEndsWithTheError(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := open(t, func(s *setup) { s.dec.delay = jitter(time.Millisecond) })
	n, after := 0, 0
	var last error
	for r, err := range e.Stream(ctx, items(100_000)) {
		if last != nil {
			t.Fatal("something came after the error")
		}
		if last = err; err != nil {
			if r.Features != nil {
				t.Error("a result came with the error")
			}
			continue
		}
		if n++; n == 30 {
			cancel()
		}
		if n > 30 {
			after++
		}
	}
	if !errors.Is(last, context.Canceled) || !strings.Contains(last.Error(), "after 30 results") || after > 0 {
		t.Errorf("error %v, %d results after the cancellation", last, after)
	}
	for _, err := range e.Stream(ctx, items(1)) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before the start: %v", err)
		}
	}
}

func TestCancelReachesTheReaderWhileTheInputBlocks(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := open(t, nil)
	unblock := make(chan bool)
	blocking := func(yield func(imgvec.Item) bool) {
		if yield(imgvec.Item{Data: data(0)}) {
			<-unblock
		}
	}
	var last error
	for r, err := range e.Stream(ctx, blocking) {
		if err != nil {
			last = err
			close(unblock) // only now: the error must not wait for the input
			continue
		}
		check(t, e.Spec(), r, 0, data(0)) // comes out although the input hangs after it
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("error %v", last)
	}
}

func TestCloseInsideTheLoop(t *testing.T) {
	e := open(t, nil)
	var last error
	for r, err := range e.Stream(context.Background(), items(1000)) {
		if last = err; err == nil && r.Index == 5 {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if !errors.Is(last, imgvec.ErrClosed) {
		t.Errorf("error %v", last)
	}
	for _, err := range e.Stream(context.Background(), items(1)) {
		if !errors.Is(err, imgvec.ErrClosed) {
			t.Errorf("stream after close: %v", err)
		}
	}
}

func TestPanicInTheLoopLeavesNothingBehind(t *testing.T) {
	e := open(t, nil)
	defer func() {
		if recover() != "loop" {
			t.Error("the panic is gone")
		}
	}()
	for _, err := range e.Stream(context.Background(), items(1000)) {
		if err != nil {
			t.Error(err)
		}
		panic("loop")
	}
}

func TestStreamsAndExtractsAtOnce(t *testing.T) {
	e := open(t, func(s *setup) { s.dec.delay = jitter(300 * time.Microsecond) })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			next := 0
			for r, err := range e.Stream(context.Background(), items(300)) {
				if err != nil {
					t.Error(err)
					return
				}
				check(t, e.Spec(), r, next, data(next))
				next++
			}
		})
		wg.Go(func() {
			for range 10 {
				if _, err := e.Extract(pictures(20)); err != nil {
					t.Error(err)
				}
				e.Stats()
			}
		})
	}
	wg.Wait()
	if s := e.Stats(); s.Images != 4*300+4*10*20 || s.Wall <= 0 {
		t.Errorf("stats: %d images in %v", s.Images, s.Wall)
	}
}
