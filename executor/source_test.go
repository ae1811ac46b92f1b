package executor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest/fake"
)

func TestSlowInputDoesNotHoldResultsUp(t *testing.T) {
	e := open(t, nil)
	out := make(chan int, 100)
	slow := func(yield func(imgvec.Item) bool) {
		for i := range 9 {
			if !yield(imgvec.Item{Data: data(i)}) {
				return
			}
			if i%3 == 2 { // the three are out before the fourth comes
				for range 3 {
					select {
					case <-out:
					case <-time.After(10 * time.Second):
						t.Error("a result waits for the next item")
						return
					}
				}
			}
		}
	}
	for r, err := range e.Stream(context.Background(), slow) {
		if err != nil {
			t.Fatal(err)
		}
		out <- r.Index
	}
}

// A full batch is held back for a moment, because the input may end just here.
func TestTheTailIsSharedWhenItIsAFullBatch(t *testing.T) {
	s := newSource(8, 4, time.Minute)
	s.tail = time.Minute
	claimed := make(chan int)
	go func() {
		defer close(claimed)
		for {
			tk := s.claim(context.Background())
			if tk == nil {
				return
			}
			claimed <- len(tk.items)
		}
	}()
	for i := range 8 {
		s.feed <- imgvec.Item{Data: data(i)}
	}
	waitFor(t, func() bool { return len(s.feed) == 0 })
	close(s.feed)
	for n := range claimed {
		if n != 2 {
			t.Errorf("a ticket of %d of the last 8 images for 4 workers", n)
		}
	}
}

func TestStreamSharesTheTail(t *testing.T) {
	sizes := &sizesOf{Backend: fake.New(fake.Options{Streams: 4})}
	e := open(t, func(s *setup) { s.delay = time.Second }, sizes)
	for _, err := range e.Stream(context.Background(), items(8)) {
		if err != nil {
			t.Fatal(err)
		}
	}
	sizes.mu.Lock()
	defer sizes.mu.Unlock()
	if len(sizes.seen) != 4 {
		t.Errorf("8 images on 4 workers in batches of %v", sizes.seen)
	}
}

func TestPanicOfTheInputReachesTheCaller(t *testing.T) {
	e := open(t, nil)
	n := 0
	defer func() {
		if p := recover(); p != "broken input" || n != 3 {
			t.Errorf("recovered %v after %d results", p, n)
		}
	}()
	for _, err := range e.Stream(context.Background(), func(yield func(imgvec.Item) bool) {
		for i := range 3 {
			yield(imgvec.Item{Data: data(i)})
		}
		panic("broken input")
	}) {
		if err != nil {
			t.Error(err)
		}
		n++
	}
}

func TestItemsAreOpenedInWorkers(t *testing.T) {
	e := open(t, func(s *setup) { s.maxRead = 1000 })
	broken := errors.New("disk")
	opens := []struct {
		open func() (io.ReadCloser, error)
		want error
	}{
		{reader(data(0), nil), nil},
		{func() (io.ReadCloser, error) { return nil, broken }, broken},
		{reader([]byte("half"), broken), broken},
		{reader(bytes.Repeat([]byte("x"), 1000), nil), nil},
		{reader(bytes.Repeat([]byte("x"), 1001), nil), imgvec.ErrTooLarge},
		{reader(nil, nil), imgvec.ErrDecode},
		{nil, imgvec.ErrDecode},
		{func() (io.ReadCloser, error) { panic("mine") }, imgvec.ErrDecode},
		{func() (io.ReadCloser, error) { return nil, nil }, errAny},
		{reader(data(9), nil), nil},
	}
	seq := func(yield func(imgvec.Item) bool) {
		for i, o := range opens {
			if !yield(imgvec.Item{ID: string(rune('a' + i)), Open: o.open}) {
				return
			}
		}
	}
	for r, err := range e.Stream(context.Background(), seq) {
		if err != nil {
			t.Fatal(err)
		}
		o := opens[r.Index]
		if o.want == nil && r.Err != nil || o.want != nil && !errors.Is(r.Err, o.want) && (!errors.Is(o.want, errAny) || r.Err == nil) {
			t.Errorf("item %d: %v, want %v", r.Index, r.Err, o.want)
		}
		if r.ID != string(rune('a'+r.Index)) || o.want != nil && !strings.Contains(r.Err.Error(), r.ID) {
			t.Errorf("item %d: id %q, error %v", r.Index, r.ID, r.Err)
		}
	}
	if n := closed.Swap(0); n != 6 {
		t.Errorf("%d readers were closed, want all 6", n)
	}
	if s := e.Stats().Stages["read"]; s.Images == 0 {
		t.Errorf("read stage: %+v", s)
	}
}

func TestTicketsAreBoundedInBytes(t *testing.T) {
	s := newSource(8, 2, time.Second)
	var held []int
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	big := make([]byte, readAheadBytes/2+1)
	var feeder sync.WaitGroup
	feeder.Go(func() {
		s.run(ctx, func(yield func(imgvec.Item) bool) {
			for range 6 {
				if !yield(imgvec.Item{Data: big}) {
					return
				}
			}
		})
	})
	for {
		tk := s.claim(ctx)
		if tk == nil {
			break
		}
		held = append(held, len(tk.items))
	}
	feeder.Wait()
	for _, n := range held {
		if n > 2 {
			t.Errorf("tickets of %v images of %d MiB", held, len(big)>>20)
		}
	}
}

var (
	errAny = errors.New("any")
	closed atomic.Int64
)

// reader opens a reader that gives b, a few bytes at a time, and then err.
func reader(b []byte, err error) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return &slowReader{b, err}, nil }
}

type slowReader struct {
	b   []byte
	err error
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 100)], r.b)
	r.b = r.b[n:]
	return n, nil
}

func (r *slowReader) Close() error { closed.Add(1); return nil }
