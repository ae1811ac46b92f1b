package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imgvec/imgvec"
)

// slowItems are items behind a storage that takes a second for each read. opened counts reads, most of them at once.
type slowItems struct {
	mu           sync.Mutex
	open, most   int
	opened       int
	size         int
	fails, panic int // the item that fails, or panics; -1: none
}

func (s *slowItems) produce(n int) func(yield func(imgvec.Item) bool) error {
	return func(yield func(imgvec.Item) bool) error {
		for i := range n {
			item := imgvec.Item{ID: fmt.Sprintf("s3://b/%d", i), Open: func() (io.ReadCloser, error) { return s.read(i) }}
			if !yield(item) {
				return nil
			}
		}
		return nil
	}
}

func (s *slowItems) read(i int) (io.ReadCloser, error) {
	s.mu.Lock()
	s.open++
	s.opened++
	s.most = max(s.most, s.open)
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
	switch i {
	case s.fails:
		return nil, errors.New("not today")
	case s.panic:
		panic("a bug in Open")
	}
	return io.NopCloser(bytes.NewReader(bytes.Repeat([]byte{byte(i)}, s.size))), nil
}

func always(imgvec.Item) bool { return true }

// TestAheadOfSlowStorage: the order stays, reads go on side by side, and one that fails is left to whoever needs it.
// Time in it is the test's own.
func TestAheadOfSlowStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowItems{size: 1000, fails: 7, panic: 9}
		start, n := time.Now(), 0
		err := newAhead(1<<20, 1<<20, always).run(t.Context(), s.produce(320), func(item imgvec.Item) bool {
			if item.ID != fmt.Sprintf("s3://b/%d", n) {
				t.Errorf("item %d is %q", n, item.ID)
			}
			if read := item.Data != nil; read == (n == 7 || n == 9) || read && (len(item.Data) != 1000 || item.Data[0] != byte(n)) {
				t.Errorf("item %d: %d bytes", n, len(item.Data))
			}
			n++
			return true
		})
		must(t, err)
		if took := time.Since(start); n != 320 || s.most != aheadReads || took > 15*time.Second {
			t.Errorf("%d items in %v, at most %d at once", n, took, s.most)
		}
	})
}

// TestAheadIsBounded: no more bytes are held than the limit says.
func TestAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, limit = 64 << 10, 1 << 20
		produced, taken := 0, 0
		produce := func(yield func(imgvec.Item) bool) error {
			for range 200 {
				if produced++; !yield(imgvec.Item{Data: make([]byte, size)}) {
					return nil
				}
			}
			return nil
		}
		must(t, newAhead(limit, 1<<20, always).run(t.Context(), produce, func(imgvec.Item) bool {
			synctest.Wait()
			taken++
			if ahead := produced - taken; ahead > limit/size+1 || ahead < min(limit/size, 200-taken) {
				t.Errorf("%d items ahead of item %d", ahead, taken)
			}
			return true
		}))
		if taken != 200 {
			t.Errorf("%d items", taken)
		}
		s := &slowItems{size: limit / 4, fails: -1, panic: -1} // much larger than they are taken for at first
		n := 0
		must(t, newAhead(limit, 1<<30, always).run(t.Context(), s.produce(100), func(item imgvec.Item) bool { n++; return len(item.Data) == s.size }))
		if n != 100 {
			t.Errorf("%d items", n)
		}
	})
}

// TestAheadEnds in all ways: a break, the end of ctx, an error, a panic. No goroutine stays; synctest would tell.
func TestAheadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowItems{size: 10, fails: -1, panic: -1}
		n := 0
		must(t, newAhead(1000, 1000, always).run(t.Context(), s.produce(1000), func(imgvec.Item) bool { n++; return n < 5 }))
		if n != 5 || s.opened > 200 {
			t.Errorf("%d items, %d read", n, s.opened)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := newAhead(1000, 1000, always).run(ctx, func(yield func(imgvec.Item) bool) error {
			for yield(imgvec.Item{Data: make([]byte, 400)}) {
			}
			return ctx.Err()
		}, func(imgvec.Item) bool { cancel(); return true })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v after the end of ctx", err)
		}
		broken := errors.New("broken")
		err = newAhead(1000, 1000, always).run(t.Context(), func(yield func(imgvec.Item) bool) error { yield(imgvec.Item{}); return broken }, func(imgvec.Item) bool { return true })
		if !errors.Is(err, broken) {
			t.Errorf("%v, want that of the inputs", err)
		}
		defer func() {
			if p := recover(); p != "bug" {
				t.Errorf("panic %v", p)
			}
		}()
		_ = newAhead(1000, 1000, always).run(t.Context(), func(func(imgvec.Item) bool) error { panic("bug") }, func(imgvec.Item) bool { return true })
	})
}

// TestAheadLeavesLargeImages: one over the limit is not held; it is the worker's to refuse.
func TestAheadLeavesLargeImages(t *testing.T) {
	item := imgvec.Item{ID: "s3://b/x", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("0123456789")), nil }}
	for limit, read := range map[int64]bool{9: false, 10: true} {
		_ = newAhead(1000, limit, always).run(t.Context(), func(yield func(imgvec.Item) bool) error { yield(item); return nil }, func(got imgvec.Item) bool {
			if (got.Data != nil) != read {
				t.Errorf("limit %d: %d bytes", limit, len(got.Data))
			}
			return true
		})
	}
}
