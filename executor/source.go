package executor

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/imgvec/imgvec"
)

const (
	// readAheadImages bounds how many items are taken from a stream's input before a worker needs them.
	readAheadImages = 256
	// readAheadBytes bounds the encoded bytes among them, and so those of one ticket: no item is taken beyond it.
	readAheadBytes = 64 << 20
	// tailDelay is how long a claim that has a full batch waits to learn whether the input ends here, which would
	// let the workers share the rest.
	tailDelay = time.Millisecond
)

// ticket is a run of items that one worker claimed, and their results.
type ticket struct {
	number  int // tickets before it
	first   int // items before it
	items   []imgvec.Item
	results []imgvec.Result
}

// source cuts an input of unknown length into tickets.
//
// The input runs in a goroutine of its own. A claim takes a full batch. Where the input is slow it takes what there is
// after delay, so that the results of a few items come out although the next one is long in coming. Where the input is
// known to end it takes an equal share of the rest.
type source struct {
	batch, workers int
	delay, tail    time.Duration
	feed           chan imgvec.Item // from the input; closed at its end

	turn chan struct{} // holds one element; who has it may touch what follows
	held []imgvec.Item // taken from feed, not claimed yet
	size int           // bytes of held
	over bool          // feed is closed
	rest int           // share of each worker at the end; 0 before
	next ticket        // number and first of the next one
}

func newSource(batch, workers int, delay time.Duration) *source {
	s := &source{batch: batch, workers: workers, delay: delay, tail: min(delay, tailDelay),
		feed: make(chan imgvec.Item, min(batch, 16)), turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// run passes the input on until it or ctx ends. Where the input panics, the panic's value is returned.
func (s *source) run(ctx context.Context, items iter.Seq[imgvec.Item]) (panicked any) {
	defer close(s.feed)
	defer func() { panicked = recover() }()
	for item := range items {
		select {
		case s.feed <- item:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// claim returns the next ticket, nil at the end of the input or of ctx.
func (s *source) claim(ctx context.Context) *ticket {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil
	}
	defer func() { s.turn <- struct{}{} }()
	if !s.gather(ctx) || len(s.held) == 0 {
		return nil
	}
	return s.cut()
}

// gather takes items from the feed until the read-ahead is full, the input ends, or waiting any longer would hold up
// what is there. It returns false when ctx is done.
func (s *source) gather(ctx context.Context) bool {
	var timer *time.Timer
	var late <-chan time.Time
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	quick := false // the timer is the one for a full batch
	for !s.over && len(s.held) < s.ahead() && s.size < readAheadBytes {
		select { // what is there already needs no timer
		case item, ok := <-s.feed:
			s.put(item, ok)
			continue
		default:
		}
		full := len(s.held) >= s.batch
		if len(s.held) > 0 && (timer == nil || full && !quick) {
			quick = full
			timer = s.wait(timer)
			late = timer.C
		}
		select {
		case item, ok := <-s.feed:
			s.put(item, ok)
		case <-late:
			return true
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// wait arms the timer for as long as a claim may wait with what it holds.
func (s *source) wait(timer *time.Timer) *time.Timer {
	d := s.delay
	if len(s.held) >= s.batch {
		d = s.tail
	}
	if timer == nil {
		return time.NewTimer(d)
	}
	timer.Reset(d)
	return timer
}

func (s *source) put(item imgvec.Item, ok bool) {
	if !ok {
		s.over = true
		return
	}
	s.held = append(s.held, item)
	s.size += len(item.Data)
}

// ahead is how many items the source holds at most: enough to see the end coming for all workers.
func (s *source) ahead() int { return max(s.batch, min(s.batch*s.workers, readAheadImages)) }

// cut makes the ticket of the first held items.
func (s *source) cut() *ticket {
	n := min(s.batch, len(s.held))
	if s.over && s.rest == 0 && len(s.held) <= s.batch*s.workers {
		s.rest = share(len(s.held), s.batch, s.workers)
	}
	if s.rest > 0 {
		n = min(s.rest, n)
	}
	t := s.next
	t.items, t.results = slices.Clone(s.held[:n]), make([]imgvec.Result, n)
	for _, item := range t.items {
		s.size -= len(item.Data)
	}
	s.held = slices.Delete(s.held, 0, n) // it also clears what it moved, so that data can be collected
	s.next = ticket{number: t.number + 1, first: t.first + n}
	return &t
}
