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
	"unsafe"

	"github.com/yalue/onnxruntime_go"
)

// Binding is a session with memory for its input and output, ready to run. One goroutine at a time uses it.
type Binding struct {
	c       *C.imgvec_binding // in C's memory: a driver keeps its address
	binding *onnxruntime_go.IoBinding
	values  []unsafe.Pointer
}

// Bind binds device memory, which must live until Close. graph is the number of the CUDA graph, from 1 and another one
// for each binding of a session; 0: none. The TensorRT provider keeps one graph a session, and would replay it for every
// binding: another number is an error there.
func (s *DeviceSession) Bind(in, out DeviceTensor, graph int) (*Binding, error) {
	if err := errors.Join(in.fits(), out.fits(), s.mayCapture(graph)); err != nil {
		return nil, err
	}
	c := (*C.imgvec_binding)(C.calloc(1, C.sizeof_imgvec_binding))
	if c == nil {
		return nil, errors.New("imgvec: bind tensors: no memory")
	}
	b := &Binding{c: c}
	if err := b.fill(s, in, out, graph); err != nil {
		return nil, errors.Join(fmt.Errorf("imgvec: bind tensors: %w", err), b.Close())
	}
	return b, nil
}

// mayCapture notes the number of a CUDA graph.
func (s *DeviceSession) mayCapture(graph int) error {
	if !s.opts.Graph || graph == 0 {
		return nil
	}
	if s.opts.Provider == TensorRT && s.graph != 0 && s.graph != graph {
		return errors.New("imgvec: bind tensors: TensorRT captures one CUDA graph a session: open one session for each shape, or turn off trt_cuda_graph_enable")
	}
	s.graph = graph
	return nil
}

func (b *Binding) fill(s *DeviceSession, in, out DeviceTensor, graph int) (err error) {
	b.c.ort, b.c.touch, b.c.session = s.ort, s.touch, sessionOf(s.session)
	b.c.in, b.c.in_size = pointer(in.Addr), C.size_t(in.bytes())
	b.c.out, b.c.out_size = pointer(out.Addr), C.size_t(out.bytes())
	if b.c.options, err = runOptions(s.ort, s.opts.run(graph)); err != nil {
		return err
	}
	if b.binding, err = s.session.CreateIoBinding(); err != nil {
		return deviceError("create binding", 0, err.Error())
	}
	b.c.binding = bindingOf(b.binding)
	if err := b.bind(s, in, s.input, b.binding.BindInput); err != nil {
		return err
	}
	return b.bind(s, out, s.output, b.binding.BindOutput)
}

// bind sees memory as a tensor and gives it to onnxruntime_go's binding.
func (b *Binding) bind(s *DeviceSession, t DeviceTensor, name string, to func(string, onnxruntime_go.Value) error) error {
	memory, device := C.CString("Cuda"), s.opts.Ordinal
	if s.opts.Provider == Host {
		C.free(unsafe.Pointer(memory))
		memory, device = C.CString("Cpu"), 0
	}
	defer C.free(unsafe.Pointer(memory))
	var e C.imgvec_ort_error
	value := C.imgvec_ort_tensor(s.ort, memory, C.int(device), C.uint64_t(t.Addr), C.size_t(t.bytes()),
		(*C.int64_t)(unsafe.SliceData(t.Shape)), C.size_t(len(t.Shape)), C.int(t.Element), &e)
	if value == nil {
		return shimError("create tensor", &e)
	}
	b.values = append(b.values, value)
	if err := to(name, newForeignValue(value)); err != nil {
		return deviceError("bind "+name, 0, err.Error())
	}
	return nil
}

// Run queues the session on the compute stream and returns; with Host it computes before it returns. Where the session
// captures graphs, all runs of a binding must come from one OS thread: ONNX Runtime keeps a graph with the thread that
// captured it. Errors of what was queued come later, from the stream.
func (b *Binding) Run() error {
	var e C.imgvec_ort_error
	if C.imgvec_binding_run(b.c, &e) != 0 {
		return fmt.Errorf("imgvec: run model: %w", shimError("run", &e))
	}
	return nil
}

// HostFunc is Run as a C function for a stream's host function and what to call it with, for Host only. They are valid
// until Close, which must come after the last call has returned. A failure is told by Err.
func (b *Binding) HostFunc() (fn, data unsafe.Pointer) {
	return C.imgvec_binding_host, unsafe.Pointer(b.c)
}

// Err is the first failure of HostFunc's function since the last Err.
func (b *Binding) Err() error {
	var e C.imgvec_ort_error
	if C.imgvec_binding_take(b.c, &e) != 0 {
		return fmt.Errorf("imgvec: run model: %w", shimError("run", &e))
	}
	return nil
}

// Close frees the binding, not the memory. What it queued must be done.
func (b *Binding) Close() error {
	if b.c == nil {
		return nil
	}
	var err error
	if b.binding != nil {
		err = b.binding.Destroy()
	}
	for _, value := range b.values {
		C.imgvec_ort_release_value(b.c.ort, value)
	}
	if b.c.options != nil {
		C.imgvec_ort_release_run_options(b.c.ort, b.c.options)
	}
	C.free(unsafe.Pointer(b.c))
	b.c = nil
	return err
}

func runOptions(table C.imgvec_ort, entries map[string]string) (unsafe.Pointer, error) {
	var keys, values []*C.char
	defer func() {
		for _, text := range append(keys, values...) {
			C.free(unsafe.Pointer(text))
		}
	}()
	for key, value := range entries {
		keys, values = append(keys, C.CString(key)), append(values, C.CString(value))
	}
	var e C.imgvec_ort_error
	options := C.imgvec_ort_run_options(table, unsafe.SliceData(keys), unsafe.SliceData(values), C.size_t(len(keys)), &e)
	if options == nil {
		return nil, shimError("create run options", &e)
	}
	return options, nil
}

// pointer is a device's address as C sees it: no Go memory.
func pointer(addr uint64) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }
