package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// linger is for how long a client that was told no may go on sending before the connection is closed: one that
	// is in the middle of a write comes to read the answer only when the write is through.
	linger = 5 * time.Second
	// readBehind is for how long a Read under way is waited for after its connection was closed. Only a pipe's takes
	// longer, for ever, and is left behind.
	readBehind = time.Second
	// writeBuffer is what is collected of an answer before it is sent.
	writeBuffer = 64 << 10
)

// conn is one connection. Three goroutines' work meets in it: its reader takes batches in, the stream of the server
// computes them (for all connections), its writer sends the answers. What they share is in flow, under the queue's lock.
type conn struct {
	flow
	server  *Server
	number  int64
	wire    *wire
	in      *bufio.Reader
	hello   Hello
	dropped atomic.Bool // rows of it need not be computed
	closing sync.Once
}

// String names the connection in a log.
func (c *conn) String() string {
	if len(c.hello.Task) == 0 {
		return fmt.Sprintf("connection %d", c.number)
	}
	return fmt.Sprintf("connection %d (task %.300s)", c.number, c.hello.Task)
}

// close may be called by anybody, and ends all that waits for the connection.
func (c *conn) close() {
	c.closing.Do(func() {
		if err := c.wire.rw.Close(); err != nil {
			c.server.log.Debug("imgvec: close connection", "connection", c.number, "error", err)
		}
	})
}

// run answers the connection from its first byte to its last.
func (c *conn) run() error {
	defer c.close()
	cfg := &c.server.cfg
	c.wire.toRead, c.wire.toWrite = cfg.Hello, cfg.IO
	h, err := c.greeting()
	if err != nil {
		return c.refuse(err)
	}
	c.hello = h
	if no := cfg.check(&h); no != nil {
		return c.refuse(no)
	}
	reply := line(Reply{Protocol: Protocol, OK: true, About: &cfg.About})
	switch h.Request {
	case RequestAbout:
		return c.say(reply)
	case RequestMetrics:
		return c.metrics()
	}
	if no := c.server.enlist(c); no != nil {
		return c.refuse(no)
	}
	if err := c.say(reply); err != nil {
		c.server.queue.drop(c, err)
		return err
	}
	return c.extract()
}

// greeting waits for the client's first line, and not longer for one that comes in drops.
func (c *conn) greeting() (Hello, error) {
	if c.wire.deadline != nil {
		defer time.AfterFunc(c.server.cfg.Hello, c.close).Stop()
	}
	return readHello(c.in)
}

// say writes what is short.
func (c *conn) say(text []byte) error {
	c.wire.toWrite = c.server.cfg.IO
	if _, err := c.wire.Write(text); err != nil {
		return lost(err)
	}
	return nil
}

// refuse answers a request with no, where there is somebody to hear it.
func (c *conn) refuse(err error) error {
	var no *refusal
	if !errors.As(err, &no) {
		return err
	}
	c.server.counts.refusals.WithLabelValues(no.code).Inc()
	if err := c.say(line(Reply{Protocol: Protocol, Code: no.code, Error: no.text})); err != nil {
		return errors.Join(no, err)
	}
	c.drain(linger)
	return no
}

// drain ends the server's side and reads what the client still sends, for so long, so that it comes to read what it was
// told.
func (c *conn) drain(patience time.Duration) {
	if c.wire.endWrites() != nil {
		return
	}
	timer := time.AfterFunc(patience, c.close)
	defer timer.Stop()
	c.wire.toRead = patience
	c.discard()
}

// discard reads until the connection ends.
func (c *conn) discard() {
	_, err := io.Copy(io.Discard, c.in)
	c.server.log.Debug("imgvec: what the client sent after the end was not read", "connection", c.number, "error", err)
}

// extract answers the client's batches.
func (c *conn) extract() error {
	read := make(chan struct{})
	done, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(read)
		c.read(done)
	}()
	trailer, err := c.write()
	if err == nil && !trailer.OK {
		c.server.counts.refusals.WithLabelValues(trailer.Code).Inc()
		c.rest(read)
		err = &refusal{trailer.Code, trailer.Error}
	}
	cancel()
	c.server.queue.drop(c, ErrClientGone) // of a connection that is through, nothing is left to drop
	c.close()
	select {
	case <-read:
	case <-time.After(readBehind):
	}
	return err
}

// rest gives a client whose stream the server broke off the time to come to the trailer.
func (c *conn) rest(read <-chan struct{}) {
	if c.wire.endWrites() != nil {
		return
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case <-read: // it ends when the client does
	case <-timer.C:
	}
}
