package serve

import (
	"fmt"
	"slices"
	"sync"
)

// flow is what the queue knows of one connection. All of it is under the queue's lock.
type flow struct {
	change     *sync.Cond // for the connection's writer
	window     Window
	used       Window   // of the window
	unanswered []*batch // in order; those that the writer has not taken
	giving     []*batch // of those, the ones with rows that the executor has not taken
	finished   int64    // bytes of answers that are complete and not written
	writing    bool     // one of them is being written
	inRing     bool
	trailer    *Trailer // set: no batch is taken any more
	abort      bool     // with the trailer: what is unanswered stays so
	gone       error    // set: nobody is there to answer
	rows       int64    // answered
	failed     int64
	bodies     [][]byte // memory for batches to come
	spared     int64    // bytes of it
}

// exceeds says in which way one batch more is beyond the window; "" where it is not. A batch that is larger than the
// whole window may come alone: an image has the size that it has.
//
// A batch counts until its answer begins to go out, a little less long than for the client, who can't know that before
// the answer is there. So no client that keeps its own count is refused.
func (f *flow) exceeds(bytes int64) string {
	switch {
	case f.used.Batches >= f.window.Batches:
		return fmt.Sprintf("%d batches are unanswered, the window is %d: read answers before sending more, or ask for a larger window",
			f.used.Batches+1, f.window.Batches)
	case f.used.Batches > 0 && f.used.Bytes+bytes > f.window.Bytes:
		return fmt.Sprintf("%d bytes are unanswered, the window is %d: read answers before sending more, or ask for a larger window",
			f.used.Bytes+bytes, f.window.Bytes)
	}
	return ""
}

// behind tells whether the client is to take answers before more of its rows are computed. Answers that wait for an
// older one are not its fault: only what can be written counts as a reason, and then written comes and looks again.
func (f *flow) behind() bool {
	ready := f.writing || len(f.unanswered) > 0 && f.unanswered[0].left == 0
	return ready && f.finished > f.window.Bytes
}

// finish says how the connection ends once its batches are answered. The first to say so wins.
func (f *flow) finish(t *Trailer) {
	if f.trailer == nil {
		f.trailer = t
		f.change.Signal()
	}
}

// give is the next row for the executor. There is one.
func (f *flow) give() row {
	b := f.giving[0]
	r := row{b, b.todo[0]}
	if b.todo = b.todo[1:]; len(b.todo) == 0 {
		f.giving = f.giving[1:]
	}
	return r
}

// pop is the oldest batch, for its answer to be written.
func (f *flow) pop() *batch {
	b := f.unanswered[0]
	f.unanswered = f.unanswered[1:]
	f.used.Batches--
	f.used.Bytes -= b.bytes
	f.writing = true
	f.rows += int64(len(b.results))
	f.failed += int64(b.failed)
	return b
}

// spare keeps the memory of a finished batch for the next ones, no more of it than the window.
func (f *flow) spare(body []byte) {
	n := int64(cap(body))
	if n > 0 && len(f.bodies) < f.window.Batches && f.spared+n <= f.window.Bytes {
		f.bodies = append(f.bodies, body[:0])
		f.spared += n
	}
}

// body is memory for n bytes, nil where none is spare. One that is too small is given up, so that batches which grow
// don't leave small ones behind.
func (f *flow) body(n int) []byte {
	if len(f.bodies) == 0 {
		return nil
	}
	i := max(0, slices.IndexFunc(f.bodies, func(b []byte) bool { return cap(b) >= n }))
	b := f.bodies[i]
	f.bodies = slices.Delete(f.bodies, i, i+1)
	f.spared -= int64(cap(b))
	if cap(b) < n {
		return nil
	}
	return b[:n]
}
