//go:build !cgo || windows

package ort

import (
	"fmt"

	"github.com/imgvec/imgvec"
)

// errNoCgo is what everything returns in a build that can't open ONNX Runtime.
var errNoCgo = fmt.Errorf("imgvec: open ONNX Runtime: %w: this program was built without cgo; build it with CGO_ENABLED=1 and a C compiler, on Linux or macOS", imgvec.ErrNoRuntime)

type plugin struct{}

// Start fails: this build has no cgo.
func Start(string) (Environment, error) { return Environment{}, errNoCgo }

// StartOpenVINO fails: this build has no cgo.
func StartOpenVINO(string) (OpenVINO, error) {
	return OpenVINO{}, unusable("this program was built without cgo", errNoCgo)
}

// Session exists in builds with cgo only.
type Session struct{}

// Open fails: this build has no cgo.
func Open(_, _, _ string, _ Options) (*Session, error) { return nil, errNoCgo }

// Run fails: this build has no cgo.
func (*Session) Run(_, _ *Tensor) error { return errNoCgo }

// OutputShape fails: this build has no cgo.
func (*Session) OutputShape(*Tensor) ([]int64, error) { return nil, errNoCgo }

// Close does nothing.
func (*Session) Close() error { return nil }

// Taps exists in builds with cgo only.
type Taps struct{}

// OpenTaps fails: this build has no cgo.
func OpenTaps(_, _ string, _ []string, _ Options) (*Taps, error) { return nil, errNoCgo }

// Run fails: this build has no cgo.
func (*Taps) Run(*Tensor, func(int, []int64, []float32) error) error { return errNoCgo }

// Close does nothing.
func (*Taps) Close() error { return nil }

// Buffer exists in builds with cgo only.
type Buffer struct{}

// NewBuffer fails: this build has no cgo.
func NewBuffer(int) (*Buffer, error) { return nil, errNoCgo }

// Free does nothing.
func (*Buffer) Free() {}

// Tensor exists in builds with cgo only.
type Tensor struct{}

// Tensor fails: this build has no cgo.
func (*Buffer) Tensor(ElementType, []int64) (*Tensor, error) { return nil, errNoCgo }

// Float32 is empty.
func (*Tensor) Float32() []float32 { return nil }

// Float16 is empty.
func (*Tensor) Float16() []uint16 { return nil }

// Uint8 is empty.
func (*Tensor) Uint8() []uint8 { return nil }

// Destroy does nothing.
func (*Tensor) Destroy() error { return nil }

// LogVariable is not looked at: this build has no ONNX Runtime.
const LogVariable = "IMGVEC_ORT_LOG"
