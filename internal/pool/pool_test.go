package pool

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var errShut = errors.New("shut")

func TestEachThingHasOneUser(t *testing.T) {
	things := []*atomic.Int32{new(atomic.Int32), new(atomic.Int32)}
	p := New(things, errShut)
	if p.Size() != 2 {
		t.Errorf("size %d", p.Size())
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 100 {
				thing, err := p.Take(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if thing.Add(1) != 1 {
					t.Error("two users of one thing")
				}
				thing.Add(-1)
				p.Give(thing)
			}
		})
	}
	wait.Wait()
}

func TestTheWaitCanBeCalledOff(t *testing.T) {
	p := New([]int{1}, errShut)
	if _, err := p.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := p.Take(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestCloseWaitsForWhatIsOut(t *testing.T) {
	p := New([]int{1, 2}, errShut)
	thing, err := p.Take(t.Context())
	if err != nil || p.Err() != nil {
		t.Fatal(err, p.Err())
	}
	var back atomic.Bool
	frees := 0
	done := make(chan error)
	for range 2 {
		go func() {
			done <- p.Close(func(things []int) error {
				if frees++; !back.Load() || len(things) != 2 {
					t.Errorf("freed %v before all were back", things)
				}
				return errShut
			})
		}()
	}
	<-p.closed
	if _, err := p.Take(t.Context()); !errors.Is(err, errShut) || !errors.Is(p.Err(), errShut) {
		t.Errorf("after Close: %v, %v", err, p.Err())
	}
	back.Store(true)
	p.Give(thing)
	for range 2 {
		if err := <-done; !errors.Is(err, errShut) {
			t.Errorf("Close: %v", err)
		}
	}
	if frees != 1 {
		t.Errorf("freed %d times", frees)
	}
}
