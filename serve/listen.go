package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// Serve answers the connections of l until Drain or Close (then it returns nil), ctx is done (its cause), or it can't
// go on (ErrStalled, ErrDevices, the listener's error). l is closed when it returns. After Drain connections may still
// be open: Drain waits for them.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.start()
	closed := sync.OnceValue(l.Close)
	defer func() { _ = closed() }()
	stop := context.AfterFunc(ctx, func() { _ = closed() })
	defer stop()
	returned := make(chan struct{})
	defer close(returned)
	go func() {
		select {
		case <-s.draining:
		case <-s.life.Done():
		case <-returned:
		}
		_ = closed()
	}()
	err := s.accept(ctx, l)
	switch why := context.Cause(s.life); {
	case why != nil && !errors.Is(why, ErrClosed):
		s.farewell(why)
		return why
	case why != nil, s.isDraining():
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

func (s *Server) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping()
}

// farewell waits for clients to take their trailers, where they have been sent one.
func (s *Server) farewell(why error) {
	if stalled(why) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if err := s.wait(ctx); err != nil {
		s.log.Warn("imgvec: not all clients could be told", "error", err)
	}
}

// accept takes connections until the listener is closed. Where the process or the machine has too much open, it tries
// again: connections that are there go on, and end.
func (s *Server) accept(ctx context.Context, l net.Listener) error {
	const first, most = 5 * time.Millisecond, time.Second
	for pause := first; ; {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = first
			go s.answer(ctx, c)
		case errors.Is(err, net.ErrClosed):
			return nil
		case !isPassing(err):
			return fmt.Errorf("imgvec: serve: accept a connection: %w", err)
		default:
			s.log.Warn("imgvec: no connection can be taken for now", "error", err)
			select {
			case <-time.After(pause):
			case <-s.life.Done():
			}
			pause = min(2*pause, most)
		}
	}
}

func isPassing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// answer is the goroutine of one connection. The listener's ctx ends it too.
func (s *Server) answer(ctx context.Context, c net.Conn) {
	err := s.ServeConn(ctx, c)
	if err != nil {
		s.log.Debug("imgvec: a connection ended", "error", err)
	}
}
