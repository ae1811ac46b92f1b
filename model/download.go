package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model/internal/checkpoint"
)

// How a download behaves; variables for tests.
var (
	stallTimeout = 60 * time.Second // without a byte
	retryDelay   = time.Second      // before the second try; doubles
)

const maxTries = 5

// openDownload gets the checkpoint from the hub into the home folder's downloads, opens it, and returns its SHA-256.
// One process downloads, the others wait.
func openDownload(ctx context.Context, e Entry, opts PullOptions) (file *checkpoint.File, sum string, err error) {
	from := e.url
	if opts.URL != "" {
		from = opts.URL
	}
	dir := filepath.Join(opts.home(), filepath.FromSlash(fetch.DownloadsDir))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, "", err
	}
	unlock, err := fetch.Lock(ctx, dir, opts.Log)
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	d := download{url: from, path: filepath.Join(dir, e.WeightsFile), sha256: e.SHA256, opts: opts}
	if sum, err = d.run(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, "", err
		}
		return nil, "", fmt.Errorf("%w; where the hub can't be reached, get %s on another machine and run: imgvec model import %s", err, from, e.WeightsFile)
	}
	file, err = checkpoint.Open(d.path)
	return file, sum, err
}

// download is one file on its way. What has arrived lies in path.part and is gone on from after an interruption.
type download struct {
	url, path, sha256 string
	opts              PullOptions
}

// run returns the whole SHA-256 of the file, of which sha256 may be the first digits only. The caller holds the folder's
// lock.
func (d download) run(ctx context.Context) (sum string, err error) {
	if sum, err := home.HashFile(d.path); err == nil && strings.HasPrefix(sum, d.sha256) {
		return sum, nil
	}
	d.opts.log("downloading %s", d.url)
	part := d.path + ".part"
	delay := retryDelay
	for try := 1; ; try++ {
		err := d.get(ctx, part)
		if err == nil {
			break
		}
		var final finalError
		if ctx.Err() != nil || errors.As(err, &final) || try == maxTries {
			return "", fmt.Errorf("download %s: %w", d.url, err)
		}
		d.opts.log("download interrupted (%v), going on", err)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(delay):
		}
		delay *= 2
	}
	return d.accept(part)
}

// finalError is one that another try would not mend.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// accept gives a complete file its name, if its hash is right.
func (d download) accept(part string) (sum string, err error) {
	sum, err = home.HashFile(part)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(sum, d.sha256) {
		return "", errors.Join(fmt.Errorf("download %s: its SHA-256 is %s, expected %s…", d.url, sum, d.sha256), os.Remove(part))
	}
	return sum, os.Rename(part, d.path)
}

// get asks for what is missing and appends it.
func (d download) get(ctx context.Context, part string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return finalError{err}
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return finalError{err}
	}
	response, err := d.request(ctx, have)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK: // from the start, whatever was asked for
		if have, err = 0, f.Truncate(0); err != nil {
			return finalError{err}
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return finalError{err}
		}
	case http.StatusPartialContent:
		if want := fmt.Sprintf("bytes %d-", have); !strings.HasPrefix(response.Header.Get("Content-Range"), want) {
			return finalError{fmt.Errorf("the server sent %q, not %q", response.Header.Get("Content-Range"), want)}
		}
	case http.StatusRequestedRangeNotSatisfiable: // nothing is missing, or what is there is not this file
		return d.atEnd(f, response, have)
	default:
		err := fmt.Errorf("the server says %s", response.Status)
		if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
			return err
		}
		return finalError{err}
	}
	err = d.receive(f, response, have, func() { cancel(errStalled) })
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled // not "context canceled", which the caller did not do
	}
	return err
}

var errStalled = errors.New("no data for too long")

// atEnd decides about a part that the server has nothing to add to.
func (d download) atEnd(f *os.File, response *http.Response, have int64) error {
	if response.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", have) {
		return nil
	}
	if err := f.Truncate(0); err != nil {
		return finalError{err}
	}
	return errors.New("what an earlier download left was of another size")
}

func (d download) request(ctx context.Context, have int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return nil, finalError{err}
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := http.DefaultClient.Do(request)
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // which does not name the address again
	}
	var lookup *net.DNSError
	if errors.As(err, &lookup) && lookup.IsNotFound {
		err = finalError{err}
	}
	return response, err
}

// receive copies the body and watches that it keeps coming.
func (d download) receive(f *os.File, response *http.Response, have int64, stalled func()) error {
	total := int64(0)
	if response.ContentLength >= 0 {
		total = have + response.ContentLength
	}
	watchdog := time.AfterFunc(stallTimeout, stalled)
	defer watchdog.Stop()
	buf := make([]byte, 256<<10)
	for {
		n, err := response.Body.Read(buf)
		if n > 0 {
			watchdog.Reset(stallTimeout)
			if _, err := f.Write(buf[:n]); err != nil {
				return finalError{err}
			}
			have += int64(n)
			if d.opts.Progress != nil {
				d.opts.Progress(have, total)
			}
		}
		switch {
		case errors.Is(err, io.EOF) && (total == 0 || have == total):
			return f.Sync()
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
}
