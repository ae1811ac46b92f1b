//go:build cgo && linux

package ort

/*
#include <stdlib.h>
#include "shim_linux.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/yalue/onnxruntime_go"

	"github.com/imgvec/imgvec"
)

// DeviceSession is a model that was loaded onto a device, for one input and one output that stay there. One goroutine at
// a time uses it and its bindings.
type DeviceSession struct {
	ort           C.imgvec_ort
	session       *onnxruntime_go.DynamicAdvancedSession
	opts          DeviceOptions
	input, output string
	touch         C.imgvec_touch
	graph         int // number of the last binding that is captured
}

// OpenDevice loads the model at path. Start must have succeeded, and StartGPU for the provider. The stream must live
// until Close. It allocates on the device in the calling thread; call it where the device's context is current. Errors
// wrap imgvec.ErrModel, imgvec.ErrOutOfMemory or imgvec.ErrNoDevice, and tell where a model can't be captured as a graph.
func OpenDevice(path, input, output string, opts DeviceOptions) (*DeviceSession, error) {
	process.Lock()
	library, started := process.environment.Path, process.started
	process.Unlock()
	if !started {
		return nil, errors.New("imgvec: BUG: session on a device before ONNX Runtime")
	}
	table, err := openTable(library)
	if err != nil {
		return nil, err
	}
	s := &DeviceSession{ort: table, opts: opts, input: input, output: output}
	if opts.Provider == Host {
		s.touch = findTouch()
	}
	if err := s.open(path); err != nil {
		return nil, fmt.Errorf("imgvec: open model %q: %w", path, err)
	}
	return s, nil
}

func (s *DeviceSession) open(path string) error {
	options, err := onnxruntime_go.NewSessionOptions()
	if err != nil {
		return deviceError("create session options", 0, err.Error())
	}
	defer options.Destroy() //nolint:errcheck // can't fail
	if err := s.opts.native(options); err != nil {
		return deviceError("set session options", 0, err.Error())
	}
	s.session, err = onnxruntime_go.NewDynamicAdvancedSession(path, []string{s.input}, []string{s.output}, options)
	if err != nil {
		return notOpened(deviceError("create session", 0, err.Error()))
	}
	return nil
}

// notOpened says that it is the model, where it is not the device.
func notOpened(err error) error {
	if errors.Is(err, imgvec.ErrOutOfMemory) || errors.Is(err, imgvec.ErrNoDevice) {
		return err
	}
	return fmt.Errorf("%w: %w", imgvec.ErrModel, err)
}

// native sets ONNX Runtime's options. The host's part of a session on a device is small: it needs no threads.
func (o DeviceOptions) native(options *onnxruntime_go.SessionOptions) error {
	level, _ := logLevel()
	err := errors.Join(
		options.SetIntraOpNumThreads(1),
		options.SetInterOpNumThreads(1),
		options.SetLogSeverityLevel(level),
	)
	for key, value := range o.session() {
		err = errors.Join(err, options.AddSessionConfigEntry(key, value))
	}
	if err == nil && o.Provider == TensorRT {
		err = appendTensorRT(options, o.tensorRT())
	}
	if err == nil && o.Provider != Host {
		err = appendCUDA(options, o.cuda())
	}
	return err
}

func appendCUDA(options *onnxruntime_go.SessionOptions, entries map[string]string) error {
	provider, err := onnxruntime_go.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer provider.Destroy() //nolint:errcheck // can't fail
	if err := provider.Update(entries); err != nil {
		return err
	}
	return options.AppendExecutionProviderCUDA(provider)
}

func appendTensorRT(options *onnxruntime_go.SessionOptions, entries map[string]string) error {
	provider, err := onnxruntime_go.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	defer provider.Destroy() //nolint:errcheck // can't fail
	if err := provider.Update(entries); err != nil {
		return err
	}
	return options.AppendExecutionProviderTensorRT(provider)
}

// Close frees the session. Its bindings must be closed before, and what they queued must be done.
func (s *DeviceSession) Close() error {
	if s.session == nil {
		return nil
	}
	session := s.session
	s.session = nil
	return session.Destroy()
}

// openTable finds the functions that onnxruntime_go does not reach. library is "" where the host program opened it.
func openTable(library string) (C.imgvec_ort, error) {
	path := C.CString(library)
	defer C.free(unsafe.Pointer(path))
	var e C.imgvec_ort_error
	table := C.imgvec_ort_open(path, &e)
	if table == nil {
		return nil, fmt.Errorf("imgvec: open a session on a device: %w: %w", imgvec.ErrNoRuntime, shimError("find its functions", &e))
	}
	return table, nil
}

func findTouch() C.imgvec_touch {
	path := C.CString(os.Getenv(DriverVariable))
	defer C.free(unsafe.Pointer(path))
	return C.imgvec_find_touch(path)
}

func shimError(op string, e *C.imgvec_ort_error) error {
	return deviceError(op, int(e.code), C.GoString(&e.text[0]))
}
