package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"gocloud.dev/gcerrors"
)

// readError is a failure of a store, in words.
type readError struct {
	text      string
	cause     error
	temporary bool
}

func (e *readError) Error() string   { return e.text }
func (e *readError) Unwrap() error   { return e.cause }
func (e *readError) Temporary() bool { return e.temporary }

// Is makes what is not there fs.ErrNotExist, and what may not be read fs.ErrPermission, as for files.
func (e *readError) Is(target error) bool {
	switch kindOf(e.cause) {
	case gcerrors.NotFound:
		return target == fs.ErrNotExist
	case gcerrors.PermissionDenied:
		return target == fs.ErrPermission
	}
	return false
}

// statusError is an answer of a web server that is no file.
type statusError struct{ code int }

func (e *statusError) Error() string { return strconv.Itoa(e.code) + " " + http.StatusText(e.code) }

// errChanged is the error of an object that was replaced while it was read.
var errChanged = errors.New("it was changed while it was read")

// errNoRanges is the error of a web server that sends whole files only, where a part was asked for.
var errNoRanges = errors.New("the server sends whole files only, and this one is read in parts: fetch it first")

// errStalled is the error of a connection that brought nothing for a while.
var errStalled = errors.New("the connection brought nothing for a minute")

// kindOf sorts an error of a driver or of a web server.
func kindOf(err error) gcerrors.ErrorCode {
	var status *statusError
	if !errors.As(err, &status) {
		return gcerrors.Code(err)
	}
	switch status.code {
	case http.StatusNotFound, http.StatusGone:
		return gcerrors.NotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return gcerrors.PermissionDenied
	}
	return gcerrors.Unknown
}

// temporary tells whether another try may succeed: the network broke, or the server had too much to do.
func temporary(err error) bool {
	var status *statusError
	var network net.Error
	switch {
	case errors.Is(err, errStalled):
		return true
	case errors.Is(err, context.Canceled), errors.Is(err, errChanged), errors.Is(err, errNoRanges):
		return false
	case errors.As(err, &status):
		return status.code == http.StatusRequestTimeout || status.code == http.StatusTooManyRequests || status.code >= 500
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EPIPE):
		return true
	case errors.As(err, &network):
		return network.Timeout()
	}
	switch gcerrors.Code(err) {
	case gcerrors.Internal, gcerrors.ResourceExhausted, gcerrors.DeadlineExceeded:
		return true
	}
	return false
}

// explain says in a person's words why an object can't be read. It is nil for nil.
func explain(url string, err error) error {
	var known *readError
	if err == nil || errors.As(err, &known) {
		return err
	}
	what := cause(err)
	switch kindOf(err) {
	case gcerrors.NotFound:
		what = "no such object or bucket"
	case gcerrors.PermissionDenied:
		what = "no permission to read (" + cause(err) + ")"
	}
	if text := err.Error(); strings.Contains(text, "get credentials") || strings.Contains(text, "DefaultAzureCredential") {
		what = "no credentials found: set them as for the cloud's own tools, or put ?anonymous=true behind the URL of a public bucket"
	}
	return &readError{fmt.Sprintf("%s: %s", what, url), err, temporary(err)}
}

// cause is the innermost text of an error: around it stand the drivers' layers, each with a name and a request's number.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || inner.Error() == "" {
			break
		}
		err = inner
	}
	text, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return text
}
