package hub

import (
	"errors"
	"fmt"
	"strings"
)

// Request is one file that is wanted.
type Request struct {
	// Places are where the file may be, tried in order: addresses (http, https) or paths of files on this machine.
	Places []string
	// Path is where it goes. What has arrived lies in Path.part until it is whole; Path.part.json says of what.
	Path string
	// SHA256 is what the file's hash must begin with, in lower-case hex: all 64 digits, the first few, or nothing.
	SHA256 string
	// Offline tries the paths only.
	Offline bool
	// Spare is how much must stay free on the disk beside the file, as a multiple of its size.
	Spare float64
	// Max refuses a file of more bytes; 0: any.
	Max int64
	// Token gives the bearer token for an address, "" for none; may be nil.
	Token func(address string) string
	// Progress is called with bytes while they come; total is 0 where it is not known. May be nil.
	Progress func(done, total int64)
	// Log gets a line for each thing that happens; may be nil.
	Log func(string)
}

func (r *Request) log(format string, args ...any) {
	if r.Log != nil {
		r.Log(fmt.Sprintf(format, args...))
	}
}

func (r *Request) progress(done, total int64) {
	if r.Progress != nil {
		r.Progress(done, total)
	}
}

// wrong is the error for a file of this hash, nil where it is the wanted one.
func (r *Request) wrong(sum string) error {
	if strings.HasPrefix(sum, r.SHA256) {
		return nil
	}
	dots := ""
	if len(r.SHA256) < len(sum) {
		dots = "…"
	}
	return hashError{fmt.Errorf("its SHA-256 is %s, expected %s%s", sum, r.SHA256, dots)}
}

// ErrOffline is the reason why an address was not asked.
var ErrOffline = errors.New("not tried: this is an offline run")

// StatusError is a server's refusal.
type StatusError struct {
	Code   int    // 404
	Status string // "404 Not Found"
}

// Error implements error.
func (e *StatusError) Error() string { return "the server says " + e.Status }

// finalError is one that another try at the same place would not mend.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// hashError is a file with other bytes.
type hashError struct{ error }

func (e hashError) Unwrap() error { return e.error }

// isAddress tells an address from a path.
func isAddress(place string) bool {
	return strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://")
}
