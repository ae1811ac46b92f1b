package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/wait"
)

// Retries are the tries that reading images took. The zero value is ready for use; safe for concurrent use.
type Retries struct {
	Again  atomic.Int64 // reads that failed for a passing reason and were tried again
	Helped atomic.Int64 // images that came through by it
}

// Between two tries lies a time that grows fourfold from retryFirst to retryMost. Up to half of it is left out at random,
// so that readers who failed together do not come again together.
const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
)

// passing are errors of the system that may be gone a moment later: of networks, of file servers, of what is full for
// now. A missing file or permission is none, and neither is a damaged image.
var passing = []error{
	syscall.EIO, syscall.EAGAIN, syscall.EINTR, syscall.EBUSY, syscall.ENOMEM, syscall.ENOBUFS, syscall.EMFILE, syscall.ENFILE,
	syscall.ESTALE, syscall.ETIMEDOUT, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ECONNREFUSED, syscall.ENETDOWN,
	syscall.ENETUNREACH, syscall.ENETRESET, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.EPIPE,
}

// Passing tells whether a read that failed so may go well a moment later. Errors of others say it by a method Temporary, as
// those of object stores do.
func Passing(err error) bool {
	for _, p := range passing {
		if errors.Is(err, p) {
			return true
		}
	}
	var slow net.Error
	var says interface{ Temporary() bool }
	return errors.As(err, &slow) && slow.Timeout() || errors.As(err, &says) && says.Temporary()
}

// RetryOptions are the options of Retry.
type RetryOptions struct {
	Tries   int      // at most, the first one too; below 2 there is no other
	Retries *Retries // counts; nil does not
	Wait    func(ctx context.Context, d time.Duration) error
}

// Retry makes the items read again what fails for a passing reason, in their Open and in the reader that it gives: the
// reader opens the item anew and goes on where it was. It gives up when ctx is done; the error tells how often it tried.
func Retry(ctx context.Context, items iter.Seq[imgvec.Item], opts RetryOptions) iter.Seq[imgvec.Item] {
	if opts.Tries < 2 {
		return items
	}
	if opts.Retries == nil {
		opts.Retries = new(Retries)
	}
	if opts.Wait == nil {
		opts.Wait = wait.For
	}
	return func(yield func(imgvec.Item) bool) {
		for item := range items {
			if open := item.Open; open != nil && item.Data == nil {
				item.Open = func() (io.ReadCloser, error) {
					r := &retried{ctx: ctx, open: open, opts: &opts}
					return r, r.again(nil)
				}
			}
			if !yield(item) {
				return
			}
		}
	}
}

// retried reads one item.
type retried struct {
	ctx   context.Context
	open  func() (io.ReadCloser, error)
	opts  *RetryOptions
	from  io.ReadCloser // nil after a failure
	at    int64         // bytes given out
	tries int           // so far, but for the one that goes on
}

// again opens the item, and goes on doing so while that fails for a passing reason; cause is what made it necessary.
func (r *retried) again(cause error) error {
	for err := cause; ; {
		if err != nil {
			if r.tries++; !Passing(err) || r.tries >= r.opts.Tries {
				return r.tell(err)
			}
			if err := r.opts.Wait(r.ctx, pause(r.tries)); err != nil {
				return err
			}
			r.opts.Retries.Again.Add(1)
		}
		if r.from, err = r.open(); err == nil {
			if err = r.forward(); err == nil {
				return nil
			}
			r.drop()
		}
	}
}

// forward passes over what was given out already.
func (r *retried) forward() error {
	if r.at == 0 {
		return nil
	}
	if s, ok := r.from.(io.Seeker); ok {
		_, err := s.Seek(r.at, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r.from, r.at)
	return err
}

func (r *retried) Read(p []byte) (int, error) {
	for {
		n, err := r.from.Read(p)
		r.at += int64(n)
		if err == io.EOF && r.tries > 0 {
			r.opts.Retries.Helped.Add(1)
		}
		if n > 0 || err == nil || err == io.EOF {
			return n, err
		}
		r.drop()
		if err := r.again(err); err != nil {
			r.from = nothing{err}
			return 0, err
		}
	}
}

func (r *retried) drop() {
	if r.from != nil {
		_ = r.from.Close()
		r.from = nil
	}
}

func (r *retried) Close() error {
	if r.from == nil {
		return nil
	}
	return r.from.Close()
}

func (r *retried) tell(err error) error {
	if r.tries < 2 {
		return err
	}
	return fmt.Errorf("%w (after %d tries)", err, r.tries)
}

// nothing is what is left to read after a failure.
type nothing struct{ err error }

func (n nothing) Read([]byte) (int, error) { return 0, n.err }
func (n nothing) Close() error             { return nil }

// pause is the time before another try, after that many.
func pause(tries int) time.Duration {
	d := retryFirst
	for range tries - 1 {
		d = min(4*d, retryMost)
	}
	return d/2 + rand.N(d/2)
}
