package executor

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/imgvec/imgvec"
)

// windowTickets is how many tickets a stream may have between its oldest row that is not handed out and its newest, for
// each batch of the ring.
const windowTickets = 2

// Stream turns a sequence of items of any length into results, one an item, in the order of the items. Memory stays
// flat whatever the length: see the package's documentation.
//
// An item that cannot be read or decoded has its error in its result. The second value is not nil only where the whole
// stream cannot go on (ctx is done, the executor was closed, no device is left); then it is the last pair, its Result
// is empty, and its text says how many results came before. Breaking out of the loop stops all work.
//
// When the loop ends, in whatever way, Stream has waited until no goroutine of its own runs: neither a worker nor the
// one that runs items. An iterator that can block should therefore end by itself when the caller's ctx does; until then
// a broken-off loop waits for it. (The error of a done ctx is handed out before that wait.) An iterator that is slower
// than the devices does not hold up results: a batch that is not full is run after Options.MaxQueueDelay. A panic in
// items goes on in the caller's goroutine.
//
// The sequence may be used by several goroutines one after the other or at once; each loop over it runs items anew.
func (e *Executor) Stream(ctx context.Context, items iter.Seq[imgvec.Item]) iter.Seq2[imgvec.Result, error] {
	return func(yield func(imgvec.Result, error) bool) {
		c, err := e.begin(ctx, e.nworkers)
		if err != nil {
			yield(imgvec.Result{}, fmt.Errorf("imgvec: stream: %w", err))
			return
		}
		s := newStream(e, c)
		defer s.wait()
		s.start(items)
		s.deliver(yield)
	}
}

// stream is one loop over a Stream.
type stream struct {
	e       *Executor
	call    *call
	source  *source
	permits chan struct{} // one for each ticket that may be claimed
	done    chan *ticket  // finished ones, in any order; room for all permits
	workers sync.WaitGroup
	rest    sync.WaitGroup  // the other goroutines
	waiting map[int]*ticket // finished, but not their turn
	next    int             // number of the ticket whose turn it is
	handed  int             // results handed out
	panic   any             // of the input
}

func newStream(e *Executor, c *call) *stream {
	n := windowTickets * e.nworkers
	s := &stream{e: e, call: c, source: newSource(e.batch, e.nworkers, e.delay),
		permits: make(chan struct{}, n), done: make(chan *ticket, n), waiting: make(map[int]*ticket, n)}
	for range n {
		s.permits <- struct{}{}
	}
	return s
}

func (s *stream) start(items iter.Seq[imgvec.Item]) {
	s.rest.Go(func() { s.panic = s.source.run(s.call.ctx, items) })
	for range s.e.nworkers {
		s.workers.Go(s.work)
	}
	s.rest.Go(func() {
		s.workers.Wait()
		close(s.done)
	})
}

// work takes tickets until there are none.
func (s *stream) work() {
	defer s.e.leave()
	ctx := s.call.ctx
	for {
		select {
		case <-s.permits:
		case <-ctx.Done():
			return
		}
		t := s.source.claim(ctx)
		if t == nil {
			s.permits <- struct{}{} // another worker may wait for it, only to find the end too
			return
		}
		if err := s.e.process(ctx, t.items, t.first, t.results); err != nil {
			s.call.cancel(err)
			return
		}
		s.done <- t
	}
}

// deliver hands out the results in order until the end, the first fatal error, or the caller's break.
func (s *stream) deliver(yield func(imgvec.Result, error) bool) {
	for {
		t, ok := s.receive()
		if !ok {
			break
		}
		s.waiting[t.number] = t
		if !s.flush(yield) {
			return
		}
	}
	if err := s.call.err(); err != nil {
		yield(imgvec.Result{}, fmt.Errorf("imgvec: stream: %w (after %d results)", err, s.handed))
	}
}

// receive waits for a finished ticket; false at the end. Where the caller gave up or closed the executor it does not
// wait for the workers; where a device failed it does, for what the others still finish.
func (s *stream) receive() (*ticket, bool) {
	stop := s.call.ctx.Done()
	for {
		select {
		case t, ok := <-s.done:
			return t, ok
		case <-stop:
			if s.call.givenUp() {
				return nil, false
			}
			stop = nil
		}
	}
}

// flush hands out the tickets whose turn it is. It returns false where the caller broke the loop.
func (s *stream) flush(yield func(imgvec.Result, error) bool) bool {
	for {
		t := s.waiting[s.next]
		if t == nil {
			return true
		}
		delete(s.waiting, s.next)
		for i := range t.results {
			if s.call.givenUp() {
				return true // deliver's next receive sees it too
			}
			s.handed++
			if !yield(t.results[i], nil) {
				return false
			}
			t.results[i] = imgvec.Result{}
		}
		s.next++
		s.permits <- struct{}{}
	}
}

// wait stops all work and returns when it has ended.
func (s *stream) wait() {
	s.call.end()
	s.workers.Wait()
	s.rest.Wait()
	if s.panic != nil {
		panic(s.panic)
	}
}
