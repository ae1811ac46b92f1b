package store

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/imgvec/imgvec/internal/wait"
)

// attempts is how often in a row a read is begun again that brings nothing.
const attempts = 3

// pause is how long the first new attempt waits; each further one waits twice as long.
const pause = 200 * time.Millisecond

// reader reads a whole object, over as many connections as it takes.
type reader struct {
	ctx    context.Context
	src    source
	body   io.ReadCloser // nil: not connected
	offset int64         // of the next byte
	size   int64         // -1: not known
	tag    string        // of the content that was begun with
	failed int           // attempts since the last byte
}

// connect begins to read at the offset.
func (r *reader) connect() error {
	body, size, tag, err := watch(r.ctx, r.src, r.offset, -1, stall)
	if err != nil {
		return err
	}
	if r.offset > 0 && (tag != r.tag || size != r.size) {
		return errors.Join(errChanged, body.Close())
	}
	r.body, r.size, r.tag = body, size, tag
	return nil
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		n, err := r.once(p)
		r.offset += int64(n)
		if n > 0 {
			r.failed = 0
			return n, nil // an error will come again
		}
		if err == nil || errors.Is(err, io.EOF) {
			return 0, err // io.EOF itself: readers compare with ==
		}
		if !r.again(err) {
			return 0, explain(r.src.name(), err)
		}
	}
}

// once reads from the connection that there is, or makes one.
func (r *reader) once(p []byte) (int, error) {
	if r.size >= 0 && r.offset >= r.size && r.tag != "" {
		return 0, io.EOF
	}
	if r.body == nil {
		if err := r.connect(); err != nil {
			return 0, err
		}
	}
	n, err := r.body.Read(p)
	if errors.Is(err, io.EOF) && r.offset+int64(n) < r.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// again drops a broken connection and waits for the next attempt; false where none is worth it.
func (r *reader) again(err error) bool {
	if r.body != nil {
		_ = r.body.Close() // it is broken
		r.body = nil
	}
	if r.failed++; r.failed > attempts || r.ctx.Err() != nil || !temporary(err) {
		return false
	}
	return waitFor(r.ctx, r.failed)
}

// waitFor sleeps before the n-th attempt; false where ctx is done first.
func waitFor(ctx context.Context, n int) bool { return wait.For(ctx, pause<<(n-1)) == nil }

func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}

// totalOf reads the size of the whole from "bytes 0-9/1234"; -1 where it is not told.
func totalOf(contentRange string) int64 {
	_, total, _ := strings.Cut(contentRange, "/")
	n, err := strconv.ParseInt(total, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
