package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
)

// What ends a server or a connection. Test with errors.Is.
var (
	// ErrStalled: rows were with the executor, and none came out of it for Config.Stall. The executor can't be closed
	// then: end the process, without waiting for anything (exit status 70).
	ErrStalled = errors.New("no image was finished within the stall timeout")
	// ErrDevices: no device is left (exit status 69).
	ErrDevices = errors.New("no device is left")
	// ErrClientGone: the connection ended before the client had ended its Arrow stream.
	ErrClientGone = errors.New("the client is gone")
	// ErrClosed: the server was closed, or told to drain.
	ErrClosed = errors.New("the server is closed")
)

// Extractor is what a server needs of an *executor.Executor.
type Extractor interface {
	Stream(ctx context.Context, items iter.Seq[imgvec.Item]) iter.Seq2[imgvec.Result, error]
	Stats() executor.Stats
}

// Server answers connections. Its methods may be called at the same time.
type Server struct {
	ex     Extractor
	cfg    Config
	log    *slog.Logger
	queue  *queue
	counts *counters

	begin  sync.Once
	life   context.Context // ends with Close, or when the server can't go on; its cause tells
	kill   context.CancelCauseFunc
	stream chan struct{} // closed when the executor's stream has ended

	mu       sync.Mutex
	conns    map[*conn]bool // open; true: it extracts
	quiet    *sync.Cond     // signalled when a connection ends
	draining chan struct{}  // closed by Drain
	started  bool
	last     int64     // connections so far
	used     time.Time // when the last one that extracts ended
}

// New makes a server of an executor that is open. The executor stays the caller's: close it after the server, unless
// the server ended with ErrStalled. Nothing runs before the first Serve or ServeConn.
func New(ex Extractor, cfg Config) *Server {
	s := &Server{ex: ex, cfg: cfg.withDefaults(), conns: map[*conn]bool{}, stream: make(chan struct{}),
		draining: make(chan struct{}), used: time.Now()}
	s.log = s.cfg.Logger
	s.counts = newCounters(s)
	s.queue = newQueue(s.counts)
	s.quiet = sync.NewCond(&s.mu)
	s.life, s.kill = context.WithCancelCause(context.Background())
	return s
}

// About is what the server answers; for the line READY.
func (s *Server) About() About { return s.cfg.About }

// Idle is since when no connection is open; 0 while one is. Those that only ask what the server is don't count, once
// they are through.
func (s *Server) Idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) > 0 {
		return 0
	}
	return time.Since(s.used)
}

// ServeConn answers one connection and closes it. nil: it was answered to its end. Refusals and broken-off streams are
// other errors, ErrClientGone, ErrStalled, ErrDevices, ErrClosed among them. rw need not have deadlines. A Read under
// way that Close doesn't end is left behind.
func (s *Server) ServeConn(ctx context.Context, rw io.ReadWriteCloser) error {
	c := &conn{server: s, wire: newWire(rw)}
	c.in = bufio.NewReaderSize(c.wire, maxLine)
	defer c.close()
	if err := s.admit(c); err != nil {
		return err
	}
	defer s.leave(c)
	s.start()
	stop := context.AfterFunc(ctx, func() { s.queue.drop(c, context.Cause(ctx)); c.close() })
	defer stop()
	err := c.run()
	if why := context.Cause(s.life); why != nil && err != nil {
		err = why
	}
	s.note(c, err)
	return err
}

// note logs how a connection ended. Of those that ended well there are millions, a Spark task each.
func (s *Server) note(c *conn, err error) {
	rows, failed := s.queue.answered(c)
	if err == nil {
		s.log.Debug("imgvec: "+c.String()+" is through", "rows", rows, "failed", failed)
		return
	}
	s.log.Info("imgvec: "+c.String()+" is through", "rows", rows, "failed", failed, "error", err)
}

// admit counts a connection, unless no more are taken.
func (s *Server) admit(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping() {
		return fmt.Errorf("imgvec: serve: %w", ErrClosed)
	}
	s.last++
	s.counts.connected.Inc()
	c.number = s.last
	s.conns[c] = false
	return nil
}

// stopping tells whether no more connections are taken. The lock is held.
func (s *Server) stopping() bool {
	select {
	case <-s.draining:
		return true
	default:
		return s.life.Err() != nil
	}
}

// enlist is for a connection that wants batches answered.
func (s *Server) enlist(c *conn) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping() {
		return refuse(CodeStopping, "the server is stopping: connect to another one")
	}
	s.conns[c] = true
	s.queue.open(c, c.hello.Window)
	return nil
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c] {
		s.used = time.Now()
	}
	delete(s.conns, c)
	s.quiet.Broadcast()
}

// each calls do for all connections that are open.
func (s *Server) each(do func(c *conn, extracts bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, extracts := range s.conns {
		do(c, extracts)
	}
}

// wait returns when no connection is open, or ctx is done, with its error.
func (s *Server) wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.quiet.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.conns) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.quiet.Wait()
	}
	return nil
}
