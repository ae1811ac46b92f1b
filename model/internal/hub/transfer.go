package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// client is Go's own, with its proxies from the environment, but for compression: a range of compressed bytes is none of
// the file's.
var client = &http.Client{Transport: transport()}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	return t
}

// waitError is a server that says when to come again.
type waitError struct {
	error
	wait time.Duration
}

func (e waitError) Unwrap() error { return e.error }

var errStalled = errors.New("no data for too long")

// transfer asks for what is missing and appends it.
func (r *Request) transfer(ctx context.Context, address string, p *part) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	defer watchdog.Stop()
	err := r.exchange(ctx, address, p, watchdog)
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled // not "context canceled", which the caller did not do
	}
	return err
}

func (r *Request) exchange(ctx context.Context, address string, p *part, watchdog *time.Timer) error {
	f, err := os.OpenFile(p.path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return finalError{err}
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return finalError{err}
	}
	from := p.origin()
	if have > 0 && r.SHA256 == "" && from.condition(address) == "" {
		have = 0 // nothing would tell that the rest is of another file
	}
	response, err := r.ask(ctx, address, have, from)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK: // from the start, whatever was asked for
		if have > 0 {
			r.log("starting anew: the file was changed, or the server can't go on in the middle")
		}
		have = 0
		if err := restart(f); err != nil {
			return finalError{err}
		}
		p.began(address, response)
	case http.StatusPartialContent:
		if err := r.continues(response, address, from, have); err != nil {
			return errors.Join(err, f.Truncate(0))
		}
	case http.StatusRequestedRangeNotSatisfiable: // nothing is missing, or what is there is not this file
		if response.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", have) && !from.changed(address, response, have) {
			return nil
		}
		if err := f.Truncate(0); err != nil {
			return finalError{err}
		}
		return errors.New("what an earlier download left was of another size")
	default:
		return refusal(response)
	}
	return r.receive(f, response, have, watchdog)
}

func restart(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// ask sends the request for the bytes from have on.
func (r *Request) ask(ctx context.Context, address string, have int64, from origin) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, finalError{err}
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if condition := from.condition(address); condition != "" {
			request.Header.Set("If-Range", condition)
		}
	}
	r.authorize(request)
	response, err := client.Do(request)
	return response, reason(err)
}

func (r *Request) authorize(request *http.Request) {
	request.Header.Set("User-Agent", "imgvec")
	if r.Token == nil {
		return
	}
	if token := r.Token(request.URL.String()); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
}

// reason is a client's error without the address, which is named already, and final where another try would not help.
func reason(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var lookup *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return finalError{err}
	case errors.As(err, &certificate):
		return finalError{fmt.Errorf("%w; the certificates of a proxy or of your own hub can be named with SSL_CERT_FILE", err)}
	}
	return err
}

// continues checks that a partial answer goes on where the part ends, and with the same file.
func (r *Request) continues(response *http.Response, address string, from origin, have int64) error {
	said := response.Header.Get("Content-Range")
	if !strings.HasPrefix(said, fmt.Sprintf("bytes %d-", have)) {
		return fmt.Errorf("the server sent %q, not the bytes from %d on", said, have)
	}
	total := int64(0)
	if _, size, ok := strings.Cut(said, "/"); ok {
		total, _ = strconv.ParseInt(size, 10, 64) // "*" is allowed, and says nothing
	}
	if from.changed(address, response, total) {
		return errors.New("the file was changed on the server")
	}
	return nil
}

// refusal is the error for a status that brings no bytes.
func refusal(response *http.Response) error {
	err := &StatusError{response.StatusCode, response.Status}
	switch code := response.StatusCode; {
	case code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout, code == http.StatusNotImplemented:
		return finalError{err}
	}
	if seconds, bad := strconv.Atoi(response.Header.Get("Retry-After")); bad == nil && seconds >= 0 {
		return waitError{err, time.Duration(seconds) * time.Second}
	}
	return err
}

// receive copies the body behind the have bytes that are there, and winds the watchdog up with each piece.
func (r *Request) receive(f *os.File, response *http.Response, have int64, watchdog *time.Timer) error {
	total := int64(0)
	if response.ContentLength >= 0 {
		total = have + response.ContentLength
		if err := r.room(response.ContentLength, total); err != nil {
			return finalError{err}
		}
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := response.Body.Read(buf)
		if r.Max > 0 && max(total, have+int64(n)) > r.Max {
			return finalError{fmt.Errorf("it is larger than %d bytes", r.Max)}
		}
		if n > 0 {
			watchdog.Reset(stallTimeout)
			if _, err := f.Write(buf[:n]); err != nil {
				return finalError{err}
			}
			have += int64(n)
			r.progress(have, total)
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
