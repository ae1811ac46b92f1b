package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/wait"
)

// How a download behaves; variables for tests.
var (
	stallTimeout = 60 * time.Second // without a byte
	retryDelay   = time.Second      // before the second try; doubles
	longestWait  = time.Minute      // that a server may ask for
)

const (
	maxTries  = 5 // in a row without a byte that is new
	dialTries = 2 // where nothing has answered yet: whoever is offline wants to know it
)

// Get brings the file to r.Path and returns its whole SHA-256 in lower-case hex. A file that is there with the right
// hash is left alone. Passing failures (a broken connection, 5xx, 429) are tried again, and what has come is kept. The
// caller holds off others that write to the same path. A cancelled ctx ends it with ctx's error; what has come stays,
// for the next call.
func Get(ctx context.Context, r Request) (sum string, err error) {
	if sum, err := home.HashFile(r.Path); err == nil && r.SHA256 != "" && r.wrong(sum) == nil {
		return sum, nil
	}
	if err := os.MkdirAll(filepath.Dir(r.Path), 0o755); err != nil {
		return "", err
	}
	var all placesError
	for _, place := range r.Places {
		sum, err := r.from(ctx, place)
		if err == nil {
			return sum, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		all = append(all, fmt.Errorf("%s: %w", place, err))
	}
	if len(all) == 0 {
		return "", errors.New("no place is known where it could be")
	}
	return "", all
}

// placesError is what was wrong with each place, on one line.
type placesError []error

// Error implements error.
func (e placesError) Error() string {
	var texts []string
	for _, err := range e {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives errors.Is and errors.As all of them.
func (e placesError) Unwrap() []error { return e }

// from gets the file from one place.
func (r *Request) from(ctx context.Context, place string) (sum string, err error) {
	switch {
	case !isAddress(place):
		return r.take(ctx, place)
	case r.Offline:
		return "", ErrOffline
	}
	p := part{path: r.Path + ".part"}
	resumed, err := r.download(ctx, place, &p)
	if err != nil {
		return "", err
	}
	sum, err = r.accept(&p)
	var other hashError
	if !errors.As(err, &other) || !resumed {
		return sum, err
	}
	// What an earlier download left may have been of another file: whole and anew, once.
	r.log("the parts do not fit together (%v): downloading all of it anew", err)
	if _, err := r.download(ctx, place, &p); err != nil {
		return "", err
	}
	return r.accept(&p)
}

// download fills the part, trying again where that may help. resumed tells that some of it came from an earlier call.
func (r *Request) download(ctx context.Context, address string, p *part) (resumed bool, err error) {
	r.log("downloading %s", address)
	resumed = p.size() > 0
	reached, delay := int64(-1), retryDelay
	for try := 1; ; try++ {
		err := r.transfer(ctx, address, p)
		if err == nil {
			return resumed, nil
		}
		have := p.size()
		if have > reached && have > 0 && reached >= 0 {
			try, delay = 1, retryDelay // it moves
		}
		reached = max(reached, have)
		var final finalError
		if ctx.Err() != nil || errors.As(err, &final) || try >= maxTries || try >= dialTries && nobodyThere(err) {
			return resumed, err
		}
		pause := delay
		var asked waitError
		if errors.As(err, &asked) {
			pause = min(asked.wait, longestWait)
		}
		r.log("interrupted (%v), going on", err)
		if err := wait.For(ctx, pause); err != nil {
			return resumed, err
		}
		delay *= 2
	}
}

// nobodyThere tells whether no connection came about.
func nobodyThere(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// accept gives a complete part its name, if its hash is right.
func (r *Request) accept(p *part) (sum string, err error) {
	sum, err = home.HashFile(p.path)
	if err != nil {
		return "", err
	}
	if err := r.wrong(sum); err != nil {
		return "", errors.Join(err, p.remove())
	}
	if err := os.Rename(p.path, r.Path); err != nil {
		return "", err
	}
	return sum, p.remove()
}

// take copies the file from this machine.
func (r *Request) take(ctx context.Context, path string) (sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is no file")
	}
	if sum, err := home.HashFile(path); err != nil || r.wrong(sum) != nil {
		return "", errors.Join(err, r.wrong(sum))
	}
	if err := r.room(info.Size(), info.Size()); err != nil {
		return "", err
	}
	r.log("taking %s", path)
	p := part{path: r.Path + ".part"}
	if err := p.remove(); err != nil {
		return "", err
	}
	to, err := os.Create(p.path)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(to, contextReader{ctx, f})
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return "", errors.Join(err, p.remove())
	}
	return r.accept(&p)
}

// contextReader ends a copy when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
