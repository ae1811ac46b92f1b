package serve

import (
	"errors"
	"io"
	"os"
	"time"
)

// wire is a connection with a deadline on every read and write, where the connection knows deadlines. The reader and
// the writer each set their own patience before they use it.
type wire struct {
	rw       io.ReadWriteCloser
	toRead   time.Duration
	toWrite  time.Duration
	deadline deadliner // nil: none
}

type deadliner interface {
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

func newWire(rw io.ReadWriteCloser) *wire {
	w := &wire{rw: rw}
	w.deadline, _ = rw.(deadliner)
	return w
}

// Read waits toRead for anything at all.
func (w *wire) Read(p []byte) (int, error) {
	if w.deadline != nil {
		if err := supported(w.deadline.SetReadDeadline(time.Now().Add(w.toRead))); err != nil {
			return 0, err
		}
	}
	return w.rw.Read(p)
}

// Write waits toWrite for all of p to be taken.
func (w *wire) Write(p []byte) (int, error) {
	if w.deadline != nil {
		if err := supported(w.deadline.SetWriteDeadline(time.Now().Add(w.toWrite))); err != nil {
			return 0, err
		}
	}
	return w.rw.Write(p)
}

// supported forgives files that have the method and not the thing.
func supported(err error) error {
	if errors.Is(err, os.ErrNoDeadline) {
		return nil
	}
	return err
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// endWrites tells the other side that nothing more comes, while it can still send.
func (w *wire) endWrites() error {
	if half, ok := w.rw.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
