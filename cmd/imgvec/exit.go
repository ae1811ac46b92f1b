package main

import (
	"errors"
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/serve"
)

// The exit statuses that other programs may rely on. A signal's is 128 and its number.
const (
	exitOK       = 0
	exitFailed   = 1  // could not do the job
	exitUsage    = 2  // wrong usage
	exitFailures = 3  // done, but more images failed than --max-failures allows
	exitDevices  = 69 // serve: no device is left (EX_UNAVAILABLE of sysexits.h)
	exitStalled  = 70 // serve: an image hung (EX_SOFTWARE)
)

// usageError is an error that another command line mends.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (e usageError) Unwrap() error { return e.error }

// failuresError is the end of a run that is whole but has more failed images than allowed.
type failuresError struct{ failed, allowed int64 }

func (e failuresError) Error() string {
	return fmt.Sprintf("%s, more than the %s that --max-failures allows", images(e.failed, "failed"), count(e.allowed))
}

func exitCode(err error) int {
	var usage usageError
	var failures failuresError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &failures):
		return exitFailures
	case errors.As(err, &usage), errors.Is(err, dataset.ErrUsage), errors.Is(err, imgvec.ErrPrecision):
		return exitUsage
	case errors.Is(err, serve.ErrDevices):
		return exitDevices
	case errors.Is(err, serve.ErrStalled):
		return exitStalled
	}
	return exitFailed
}
