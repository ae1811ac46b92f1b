package serve

import (
	"context"
	"fmt"
	"time"
)

// lastWords is for how long clients may take their trailers when no device is left.
const lastWords = 5 * time.Second

// Drain ends the server in good order: no more connections and batches are taken, what was read is answered, each
// client is told. It returns nil when all connections are through, or ctx's error; in both cases follow with Close.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	select {
	case <-s.draining:
	default:
		close(s.draining)
	}
	s.mu.Unlock()
	s.each(func(c *conn, extracts bool) {
		if extracts {
			s.queue.finish(c, &Trailer{Code: CodeStopping, Error: "the server is stopping: what it has not answered is for another one"})
			return
		}
		c.close() // it has asked for nothing yet
	})
	if err := s.wait(ctx); err != nil {
		return fmt.Errorf("imgvec: drain: connections are still open: %w", err)
	}
	return nil
}

// Close ends all connections and the stream at once, and waits for the images that are being decoded right now (not
// after ErrStalled). It is idempotent. A process that has to end in time should not wait for it.
func (s *Server) Close() error {
	s.kill(ErrClosed)
	s.queue.close()
	why := context.Cause(s.life)
	s.each(func(c *conn, extracts bool) {
		if extracts {
			s.queue.drop(c, why)
		}
		c.close()
	})
	_ = s.wait(context.Background()) // it has no other error than the context's
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if started && !stalled(why) {
		<-s.stream
	}
	return nil
}

// fail is for what the server can't go on after. Where a device is lost clients are told, and what is ready is answered;
// where it is stuck they are not: a hang becomes a death, and with that they know how to deal.
func (s *Server) fail(why error) {
	s.kill(why)
	s.queue.close()
	s.each(func(c *conn, extracts bool) {
		switch {
		case extracts && stalled(why):
			s.queue.drop(c, why)
			c.close()
		case extracts:
			s.queue.abort(c, &Trailer{Code: CodeDevice, Error: why.Error()})
		default:
			c.close()
		}
	})
}
