package serve

import (
	"context"
	"errors"
	"io"
)

// read takes the client's batches in, until its stream or the connection ends.
func (c *conn) read(done context.Context) {
	err := c.readBatches()
	q := c.server.queue
	var bad *batchError
	switch {
	case errors.Is(err, io.EOF):
		q.finish(c, &Trailer{OK: true})
		c.watch(done)
		return
	case errors.As(err, &bad):
		q.finish(c, &Trailer{Code: CodeBatch, Error: bad.text})
	case errors.Is(err, errIdle):
		q.finish(c, &Trailer{Code: CodeStopping, Error: "no batch came for " + c.server.cfg.IdleConnection.String() + ": connect again for more"})
	default:
		q.drop(c, err)
		c.close() // the writer may wait for the same client
		return
	}
	c.wire.toRead = c.server.cfg.IdleConnection
	c.discard()
}

// readBatches is nil never: io.EOF is the good end.
func (c *conn) readBatches() error {
	cfg, q := &c.server.cfg, c.server.queue
	m := &messages{
		wire: c.wire, in: c.in, idle: cfg.IdleConnection, io: cfg.IO, limit: cfg.Window.Bytes + bodySlack,
		waiting: func() bool { return q.busy(c) }, alloc: func(n int) []byte { return q.body(c, n) },
	}
	columns, err := openColumns(m, c.hello.Input)
	if err != nil {
		return err
	}
	for number := 0; ; number++ {
		col, err := columns.next()
		if err != nil {
			return err
		}
		q.add(newBatch(c, number, col))
	}
}

// watch waits for the end of a client that has sent all. It may end its side and still read; one that is gone can't be
// told apart by reading alone.
func (c *conn) watch(done context.Context) {
	c.wire.toRead = c.server.cfg.IdleConnection
	for {
		_, err := io.Copy(io.Discard, c.in)
		if err != nil && c.server.queue.busy(c) && isTimeout(err) {
			continue
		}
		if err != nil || hungUp(done, c.wire.rw) {
			c.server.queue.drop(c, lost(err))
			c.close()
		}
		return
	}
}
