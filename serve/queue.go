package serve

import (
	"sync"

	"github.com/imgvec/imgvec"
)

// queue is the state of all connections' batches and rows, under one lock. Readers add batches, the executor's stream
// takes rows from all connections in turn and brings results, writers take finished batches.
//
// None of them ever waits for another connection's socket. A reader never waits here at all: a connection's batches
// are bounded by its window, and a client that exceeds that is told so.
type queue struct {
	mu      sync.Mutex
	rows    *sync.Cond // signalled when ring is not empty any more, and at the end
	ring    []*conn    // connections that have rows to give, in turn
	inside  []row      // what the executor has, in its order
	done    int        // results that came out of it
	waiting int        // rows that it has not taken yet
	closed  bool
	counts  *counters
}

func newQueue(counts *counters) *queue {
	q := &queue{counts: counts}
	q.rows = sync.NewCond(&q.mu)
	return q
}

// open says that batches of c will come, and wants them answered with that window.
func (q *queue) open(c *conn, w Window) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.window, c.change = w, sync.NewCond(&q.mu)
}

// add takes a batch that was read. What comes after the end of the connection is not taken.
func (q *queue) add(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := b.conn
	if c.trailer != nil || c.gone != nil {
		return
	}
	if text := c.exceeds(b.bytes); text != "" {
		c.finish(&Trailer{Code: CodeWindow, Error: text})
		return
	}
	c.used.Batches++
	c.used.Bytes += b.bytes
	c.unanswered = append(c.unanswered, b)
	q.counts.failed.Add(float64(b.failed))
	if b.left == 0 {
		q.complete(b)
		return
	}
	q.waiting += b.left
	c.giving = append(c.giving, b)
	q.enter(c)
}

// enter puts a connection into the ring if it has rows to give and its client keeps up with the answers. (A client
// that writes its whole window before it reads still has all of it read; only the computing waits for it.)
func (q *queue) enter(c *conn) {
	if c.inRing || len(c.giving) == 0 || c.behind() {
		return
	}
	c.inRing = true
	q.ring = append(q.ring, c)
	q.rows.Signal()
}

// take waits for the next row; false at the end.
func (q *queue) take() (row, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.ring) == 0 && !q.closed {
			q.rows.Wait()
		}
		if q.closed {
			return row{}, false
		}
		c := q.ring[0]
		q.ring, c.inRing = q.ring[1:], false
		if len(c.giving) == 0 { // dropped meanwhile
			continue
		}
		r := c.give()
		q.inside = append(q.inside, r)
		q.waiting--
		q.enter(c)
		return r, true
	}
}

// result is what became of the oldest row that the executor has.
func (q *queue) result(r imgvec.Result) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.Index != q.done || len(q.inside) == 0 {
		panic("imgvec: BUG: a result that is not the next row's")
	}
	q.done++
	at := q.inside[0]
	q.inside[0] = row{}
	q.inside = q.inside[1:]
	if at.batch.conn.gone != nil {
		q.counts.dropped.Inc()
		return
	}
	q.counts.finished(r.Err)
	if at.batch.set(at.i, r) {
		q.complete(at.batch)
	}
}

// complete hands a finished batch to the writer, if it is its turn, and its memory to the reader.
func (q *queue) complete(b *batch) {
	c := b.conn
	b.size = b.answerBytes()
	c.finished += b.size
	c.spare(b.body)
	b.body, b.values = nil, nil
	c.change.Signal()
}

// finish says how the connection ends once its batches are answered. The first to say so wins.
func (q *queue) finish(c *conn, t *Trailer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.finish(t)
}

// drop forgets a connection whose client is gone.
func (q *queue) drop(c *conn, why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.gone != nil {
		return
	}
	c.gone = why
	q.forget(c)
	if c.change != nil { // nil: it has asked for nothing yet
		c.change.Signal()
	}
}

// abort ends a connection without the answers that are not ready.
func (q *queue) abort(c *conn, t *Trailer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.trailer == nil || len(c.unanswered) > 0 {
		c.trailer, c.abort = t, true
	}
	q.forget(c)
	c.change.Signal()
}

// forget takes back the rows that the executor has not taken; of those that it has, it finds out by itself.
func (q *queue) forget(c *conn) {
	c.dropped.Store(true)
	n := 0
	for _, b := range c.giving {
		n += len(b.todo)
	}
	c.giving = nil
	q.waiting -= n
	q.counts.dropped.Add(float64(n))
}

// answer waits for what the connection's writer is to send next: the answer to a batch, or the trailer that ends the
// connection, or the error that there is nobody to answer.
func (q *queue) answer(c *conn) (*batch, *Trailer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		ready := len(c.unanswered) > 0 && c.unanswered[0].left == 0
		switch {
		case c.gone != nil:
			return nil, nil, c.gone
		case ready:
			return c.pop(), nil, nil
		case c.trailer != nil && (c.abort || len(c.unanswered) == 0):
			t := *c.trailer
			t.Rows, t.Failed = c.rows, c.failed
			return nil, &t, nil
		}
		c.change.Wait()
	}
}

// written says that the answer to b is out.
func (q *queue) written(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b.conn.finished -= b.size
	b.conn.writing = false
	q.enter(b.conn)
}

// busy tells whether the server owes the client anything.
func (q *queue) busy(c *conn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(c.unanswered) > 0 || c.finished > 0
}

// body is memory for a batch of n bytes, nil where there is none to use again.
func (q *queue) body(c *conn, n int) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	return c.body(n)
}

// answered is how many rows of the connection were answered, and how many of those with an error.
func (q *queue) answered(c *conn) (rows, failed int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return c.rows, c.failed
}

// close ends take.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.rows.Broadcast()
}

// progress is what the watchdog looks at: how many rows the executor has, and how many have come out of it.
func (q *queue) progress() (inside, done int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.inside), q.done
}

// unfinished is how many rows have no result yet.
func (q *queue) unfinished() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.inside) + q.waiting
}

// begun names the first few rows that are in work.
func (q *queue) begun(most int) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var names []string
	for _, r := range q.inside {
		if len(names) < most && r.batch.begun[r.i].Load() {
			names = append(names, r.String())
		}
	}
	return names
}
