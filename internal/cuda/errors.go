//go:build cuda && cgo && linux

package cuda

import (
	"fmt"
	"os"
	"reflect"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/nvidia"
)

// Codes of the driver that are told apart.
const (
	codeOutOfMemory    = 2
	codeDeinitialized  = 4 // the process is ending
	codeStub           = 34
	codeNoDevice       = 100
	codeNotFound       = 500
	codeNotReady       = 600
	codeNotReadySystem = 802
	codeMismatch       = 803
	codeCompat         = 804
	codeUnknown        = 999
)

// native makes a result of the driver ours; nil stays nil. Out of memory wraps imgvec.ErrOutOfMemory; a code after
// which the device can't be used any more wraps imgvec.ErrNoDevice. All wrap an *imgvec.NativeError.
func native(op string, err error) error {
	if err == nil {
		return nil
	}
	return nativeCode(op, codeOf(err))
}

func nativeCode(op string, code int) error {
	if code == 0 {
		return nil
	}
	err := describe(process.library, op, code)
	switch {
	case code == codeOutOfMemory:
		return fmt.Errorf("%w: %w", imgvec.ErrOutOfMemory, err)
	case nvidia.Lost(code):
		return fmt.Errorf("device lost: %w: %w", imgvec.ErrNoDevice, err)
	}
	return err
}

// describe has the driver's own words for a code.
func describe(lib library, op string, code int) *imgvec.NativeError {
	name, text := words(lib, "cuGetErrorName", code), words(lib, "cuGetErrorString", code)
	switch {
	case name == "":
		name = "unknown error"
	case text != "":
		name += ": " + text
	}
	return &imgvec.NativeError{Lib: "cuda", Op: op, Code: code, Msg: name}
}

// codeOf is the number behind an error of gorgonia.org/cu, whose type is not exported.
func codeOf(err error) int {
	if err == nil {
		return 0
	}
	if v := reflect.ValueOf(err); v.CanInt() {
		return int(v.Int())
	}
	return codeUnknown
}

// startFailure says why the driver that was opened can't be started.
func startFailure(lib library, op string, code int) error {
	err := describe(lib, op, code)
	if remedy := startRemedy(code, os.Getenv); remedy != "" {
		return fmt.Errorf("%w; %s", err, remedy)
	}
	return err
}

func startRemedy(code int, getenv func(string) string) string {
	switch code {
	case codeNoDevice:
		if visible := getenv("CUDA_VISIBLE_DEVICES"); visible != "" {
			return fmt.Sprintf("no GPU is visible: CUDA_VISIBLE_DEVICES is %q; unset it or name one that nvidia-smi -L lists", visible)
		}
		return "no GPU is visible: nvidia-smi -L lists those that the kernel's driver has; in a container start it with --gpus all; an empty CUDA_VISIBLE_DEVICES hides all"
	case codeStub:
		return "this is the stub library of a CUDA toolkit and no driver: take its folder out of LD_LIBRARY_PATH and install NVIDIA's driver"
	case codeMismatch:
		return "the driver's library and its kernel module have different versions: reboot after an update of the driver"
	case codeCompat:
		return "the forward-compatibility library does not support this GPU: take its folder out of LD_LIBRARY_PATH, or update the driver"
	case codeNotReadySystem:
		return "the system is not ready: on machines with NVSwitch start the service nvidia-fabricmanager, of the driver's version"
	case codeUnknown, 3, 304:
		return "the kernel module may not be loaded or its device files missing: run nvidia-smi and nvidia-modprobe -u, or reboot; in a container start it with --gpus all"
	}
	return ""
}
