package serve

import (
	"errors"
	"fmt"
	"time"

	"github.com/imgvec/imgvec"
)

// looks is how often the watchdog looks within Config.Stall. It counts its looks rather than the time: a machine that
// was asleep, or a process that was stopped, is no stall.
const looks = 8

// start begins the one stream that computes the rows of all connections.
func (s *Server) start() {
	s.begin.Do(func() {
		s.mu.Lock()
		s.started = true
		s.mu.Unlock()
		go s.run()
		go s.guard()
	})
}

// run feeds the executor and takes its results, as long as the server lives.
func (s *Server) run() {
	defer close(s.stream)
	for r, err := range s.ex.Stream(s.life, s.items) {
		if err != nil {
			if s.life.Err() == nil {
				s.log.Error("imgvec: the executor can't go on", "error", err)
				s.fail(fmt.Errorf("imgvec: serve: %w: %w", ErrDevices, err))
			}
			return
		}
		s.queue.result(r)
	}
	if s.life.Err() == nil {
		panic("imgvec: BUG: the executor's stream ended before its input")
	}
}

// items are the rows of all connections, in turn. It ends with the queue.
func (s *Server) items(yield func(imgvec.Item) bool) {
	for {
		r, ok := s.queue.take()
		if !ok || !yield(r.item()) {
			return
		}
	}
}

// guard is the watchdog: an image that never ends, in a library or on a device, must not hold up its clients for ever.
func (s *Server) guard() {
	ticker := time.NewTicker(max(s.cfg.Stall/looks, time.Millisecond))
	defer ticker.Stop()
	still, before := 0, -1
	for {
		select {
		case <-s.life.Done():
			return
		case <-ticker.C:
		}
		inside, done := s.queue.progress()
		if inside == 0 || done != before {
			still, before = 0, done
			continue
		}
		if still++; still >= looks {
			s.stalled(inside)
			return
		}
	}
}

func (s *Server) stalled(inside int) {
	s.log.Error("imgvec: no image was finished within the stall timeout", "timeout", s.cfg.Stall, "rows", inside)
	const most = 16
	for _, name := range s.queue.begun(most) {
		s.log.Error("imgvec: in work: " + name)
	}
	s.fail(fmt.Errorf("imgvec: serve: %w of %v", ErrStalled, s.cfg.Stall))
}

func stalled(why error) bool { return errors.Is(why, ErrStalled) }
