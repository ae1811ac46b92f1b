//go:build cgo && linux

package ort

/*
#include <stdlib.h>
#include "shim_linux.h"

static void imgvec_call(void *fn, void *data) { ((void (*)(void *))fn)(data); }
*/
import "C"

import (
	"unsafe"

	"github.com/yalue/onnxruntime_go"
)

// This file reaches into onnxruntime_go v1.36.0, whose types hide ONNX Runtime's objects. Each is, or begins with, one
// pointer to C; inside_linux_test.go fails where another version is laid out otherwise.

// foreignValue is an OrtValue that onnxruntime_go did not make, for its bindings, which ask for GetInternals only.
type foreignValue struct {
	onnxruntime_go.Value // nil: nothing else may be asked
	internals            *onnxruntime_go.ValueInternalData
}

func newForeignValue(value unsafe.Pointer) foreignValue {
	internals := new(onnxruntime_go.ValueInternalData)
	*(*unsafe.Pointer)(unsafe.Pointer(internals)) = value
	return foreignValue{internals: internals}
}

// GetInternals is what a binding asks for.
func (v foreignValue) GetInternals() *onnxruntime_go.ValueInternalData { return v.internals }

// sessionOf is the OrtSession of a session, which begins with a pointer to a struct that begins with it.
func sessionOf(s *onnxruntime_go.DynamicAdvancedSession) unsafe.Pointer {
	return **(**unsafe.Pointer)(unsafe.Pointer(s))
}

// bindingOf is the OrtIoBinding of a binding.
func bindingOf(b *onnxruntime_go.IoBinding) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(b))
}

// tableIndex is the place of a function in ONNX Runtime's table as the C code has it, -1 for one that it does not use.
func tableIndex(name string) int {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return int(C.imgvec_ort_index(text))
}

// callHostFunc calls a function of HostFunc's, for tests: their files can't use C.
func callHostFunc(fn, data unsafe.Pointer) { C.imgvec_call(fn, data) }
