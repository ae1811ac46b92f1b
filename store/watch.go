package store

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// stall is how long a connection may bring nothing. The SDKs wait for ever once an answer has begun.
const stall = time.Minute

// watched reads from a source by a connection that is broken off when it stalls.
type watched struct {
	io.ReadCloser
	cancel  context.CancelFunc
	limit   time.Duration
	timer   *time.Timer
	stalled *atomic.Bool
}

// watch begins a read of src that can stall for no longer than limit.
func watch(ctx context.Context, src source, offset, length int64, limit time.Duration) (body io.ReadCloser, size int64, tag string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &watched{cancel: cancel, limit: limit, stalled: new(atomic.Bool)}
	w.timer = time.AfterFunc(limit, func() {
		w.stalled.Store(true)
		cancel()
	})
	w.ReadCloser, size, tag, err = src.read(ctx, offset, length)
	if err != nil {
		w.timer.Stop()
		cancel()
		return nil, 0, "", w.why(err)
	}
	w.timer.Reset(limit)
	return w, size, tag, nil
}

// why tells a stall from what it looks like.
func (w *watched) why(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && w.stalled.Load() {
		return errStalled
	}
	return err
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if n > 0 {
		w.timer.Reset(w.limit)
	}
	return n, w.why(err)
}

func (w *watched) Close() error {
	w.timer.Stop()
	defer w.cancel()
	return w.ReadCloser.Close()
}
