package imgvec

import (
	"errors"
	"fmt"
)

// What a caller may test for with errors.Is. The error that carries one of them names the thing and the remedy.
var (
	// ErrNoDevice: a device that was asked for by name is not there or can't be used.
	ErrNoDevice = errors.New("no such device")
	// ErrNoRuntime: a native library was not found, is of the wrong version or damaged. The text lists every path
	// tried, the version found and the version needed.
	ErrNoRuntime = errors.New("native library not usable")
	// ErrModel: the model is unknown, unreadable, or no image model.
	ErrModel = errors.New("model not usable")
	// ErrPrecision: the device or the model can't compute in the precision that was asked for.
	ErrPrecision = errors.New("precision not available")
	// ErrDecode: the bytes are no image, a damaged one, or one of a kind that is not supported.
	ErrDecode = errors.New("image not decodable")
	// ErrTooLarge: the image is over a limit on bytes or pixels.
	ErrTooLarge = errors.New("image too large")
	// ErrClosed: the object was closed before.
	ErrClosed = errors.New("closed")
	// ErrOutOfMemory: the device has no memory left, also not for half the batch.
	ErrOutOfMemory = errors.New("out of memory")
)

// ImageError is the failure of one image. It stands in that image's Result and never stops a batch.
type ImageError struct {
	ID    string // the item's
	Index int    // its position in the input
	Err   error  // why: wraps ErrDecode, ErrTooLarge or the error of reading it
}

func (e *ImageError) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("image %d: %v", e.Index, e.Err)
	}
	return fmt.Sprintf("image %q: %v", e.ID, e.Err)
}

// Unwrap gives the cause.
func (e *ImageError) Unwrap() error { return e.Err }

// NativeError is a failure that a native library reported.
type NativeError struct {
	Lib  string // "onnxruntime", "cuda", "libjpeg"
	Op   string // what was asked of it
	Code int    // the library's own code; 0 where it has none
	Msg  string // its own words
}

func (e *NativeError) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("%s: %s: %s", e.Lib, e.Op, e.Msg)
	}
	return fmt.Sprintf("%s: %s: %s (code %d)", e.Lib, e.Op, e.Msg, e.Code)
}
