package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
)

// flaky is content that breaks off with an error, as long as there are errors left: every other one in Open.
type flaky struct {
	content []byte
	errs    []error
	opened  int
	seeks   bool
}

func (f *flaky) open() (io.ReadCloser, error) {
	f.opened++
	if len(f.errs) > 0 && f.opened%2 == 1 {
		return nil, f.fail()
	}
	from := bytes.NewReader(f.content)
	r := &flakyReader{f: f, from: from}
	if f.seeks {
		return struct {
			io.ReadCloser
			io.Seeker
		}{r, from}, nil
	}
	return r, nil
}

func (f *flaky) fail() error {
	err := f.errs[0]
	f.errs = f.errs[1:]
	return err
}

type flakyReader struct {
	from io.Reader
	f    *flaky
	n    int
}

func (r *flakyReader) Read(p []byte) (int, error) {
	if r.n++; r.n == 3 && len(r.f.errs) > 0 {
		return 0, r.f.fail()
	}
	return r.from.Read(p[:min(len(p), 7)])
}

func (r *flakyReader) Close() error { return nil }

// retryOnce reads an item that fails with the errors, with that many tries.
func retryOnce(t *testing.T, tries int, errs ...error) (content string, again, helped int64, waits []time.Duration, err error) {
	t.Helper()
	want := []byte(strings.Repeat("0123456789", 10))
	for _, seeks := range []bool{false, true} {
		f := &flaky{content: want, errs: slices.Clone(errs), seeks: seeks}
		var counts Retries
		waits = nil
		opts := RetryOptions{Tries: tries, Retries: &counts, Wait: func(_ context.Context, d time.Duration) error {
			waits = append(waits, d)
			return nil
		}}
		for item := range Retry(t.Context(), slices.Values([]imgvec.Item{{ID: "x", Open: f.open}}), opts) {
			var r io.ReadCloser
			var data []byte
			if r, err = item.Open(); err == nil {
				data, err = io.ReadAll(struct{ io.Reader }{r})
				_ = r.Close()
			}
			content = string(data)
		}
		again, helped = counts.Again.Load(), counts.Helped.Load()
		if err == nil && content != string(want) {
			t.Errorf("read %q", content)
		}
	}
	return content, again, helped, waits, err
}

// TestRetry: what fails for a passing reason is read again from where it was, with longer pauses; nothing else is.
func TestRetry(t *testing.T) {
	if _, again, helped, waits, err := retryOnce(t, 4, syscall.EIO, syscall.ESTALE, syscall.ETIMEDOUT); err != nil || again != 3 || helped != 1 ||
		len(waits) != 3 || waits[0] < retryFirst/2 || waits[2] <= waits[0] || waits[2] > retryMost {
		t.Errorf("%v: %d tries again, %d helped, pauses %v", err, again, helped, waits)
	}
	if _, again, helped, _, err := retryOnce(t, 3, syscall.EIO, syscall.EIO, syscall.EIO, syscall.EIO); !errors.Is(err, syscall.EIO) ||
		!strings.Contains(err.Error(), "after 3 tries") || again != 2 || helped != 0 {
		t.Errorf("%v after %d tries again, %d helped", err, again, helped)
	}
	for _, fatal := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.EISDIR, ErrNotRegular, io.ErrUnexpectedEOF, errors.New("404")} {
		if _, again, _, _, err := retryOnce(t, 4, fatal); !errors.Is(err, fatal) || again != 0 || strings.Contains(err.Error(), "tries") {
			t.Errorf("%v: %v after %d tries again", fatal, err, again)
		}
	}
	if _, _, helped, waits, err := retryOnce(t, 4); err != nil || len(waits) != 0 || helped != 0 {
		t.Errorf("%v: pauses %v where nothing failed, %d helped", err, waits, helped)
	}
}

// TestRetryEnds: a run that is stopped does not wait for the next try.
func TestRetryEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := &flaky{errs: []error{syscall.EIO, syscall.EIO, syscall.EIO}}
	for item := range Retry(ctx, slices.Values([]imgvec.Item{{Open: f.open}}), RetryOptions{Tries: 100}) {
		if _, err := item.Open(); !errors.Is(err, context.Canceled) || f.opened != 1 {
			t.Errorf("%v after %d tries", err, f.opened)
		}
	}
}

// temporary is an error of an object store.
type temporary bool

func (t temporary) Error() string   { return "the store said something" }
func (t temporary) Temporary() bool { return bool(t) }

func TestPassing(t *testing.T) {
	if !Passing(explainOpen("x", syscall.ESTALE)) || Passing(explainOpen("x", fs.ErrNotExist)) {
		t.Error("the system's errors are not seen through their explanation")
	}
	if !Passing(fmt.Errorf("read: %w", temporary(true))) || Passing(temporary(false)) {
		t.Error("an error that says whether it is passing is not asked")
	}
}
