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

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"
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
	switch httpStatus(err) {
	case http.StatusNotFound, http.StatusGone:
		return gcerrors.NotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return gcerrors.PermissionDenied
	}
	return gcerrors.Code(err)
}

// httpStatus is the status of the answer that an error tells of; 0 where there was none. The drivers of gocloud.dev know
// some of their clouds' codes only.
func httpStatus(err error) int {
	var web *statusError
	var amazon interface{ HTTPStatusCode() int }
	var google *googleapi.Error
	var azure *azcore.ResponseError
	switch {
	case errors.As(err, &web):
		return web.code
	case errors.As(err, &amazon):
		return amazon.HTTPStatusCode()
	case errors.As(err, &google):
		return google.Code
	case errors.As(err, &azure):
		return azure.StatusCode
	}
	return 0
}

// temporary tells whether another try may succeed: the network broke, or the server had too much to do.
func temporary(err error) bool {
	status := httpStatus(err)
	var network net.Error
	switch {
	case errors.Is(err, errStalled):
		return true
	case errors.Is(err, context.Canceled), errors.Is(err, errChanged), errors.Is(err, errNoRanges):
		return false
	case status >= http.StatusBadRequest:
		return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
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
	if text := err.Error(); strings.Contains(text, "no EC2 IMDS role found") || strings.Contains(text, "get credentials") || strings.Contains(text, "DefaultAzureCredential") {
		what = "no credentials found: set them as for the cloud's own tools, or put ?anonymous=true behind the URL of a public bucket"
	}
	return &readError{fmt.Sprintf("%s: %s", what, url), err, temporary(err)}
}

// cause is the innermost text of an error: around it stand the drivers' layers, each with a name and a request's number.
func cause(err error) string {
	for inner := unwrap(err); inner != nil && inner.Error() != ""; inner = unwrap(err) {
		err = inner
	}
	text, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return text
}

func unwrap(err error) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, inner := range several.Unwrap() {
			return inner // the drivers put what happened first, and its kind behind
		}
	}
	return errors.Unwrap(err)
}
