//go:build cgo && !windows

package ort

/*
#include <stdlib.h>
#include <string.h>

// imgvec_buffer_new gives n bytes of zeros that begin at a multiple of align; n is a multiple of it too.
static void *imgvec_buffer_new(size_t align, size_t n) {
	void *p = NULL;
	if (posix_memalign(&p, align, n)) return NULL;
	return memset(p, 0, n);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/yalue/onnxruntime_go"

	"github.com/imgvec/imgvec"
)

// align is what vector code likes memory to start at.
const align = 64

// Buffer is host memory that tensors lie over, aligned. It is not Go's, because native code keeps its address; one that
// nobody frees stays, and does no other harm. One goroutine at a time uses it.
type Buffer struct {
	bytes []byte
}

// NewBuffer makes a buffer of n bytes, all 0. The error wraps imgvec.ErrOutOfMemory.
func NewBuffer(n int) (*Buffer, error) {
	size := (max(n, 1) + align - 1) / align * align
	memory := C.imgvec_buffer_new(align, C.size_t(size))
	if memory == nil {
		return nil, fmt.Errorf("imgvec: make tensor of %d bytes: %w", n, imgvec.ErrOutOfMemory)
	}
	return &Buffer{unsafe.Slice((*byte)(memory), size)[:n:n]}, nil
}

// Free frees the memory. Tensors over it must be destroyed before.
func (b *Buffer) Free() {
	C.free(unsafe.Pointer(unsafe.SliceData(b.bytes)))
	b.bytes = nil
}

// Tensor is a view of a buffer's beginning as a tensor.
type Tensor struct {
	value *onnxruntime_go.CustomDataTensor
	bytes []byte
}

// Tensor makes a view; it fails where the buffer is too small.
func (b *Buffer) Tensor(element ElementType, shape []int64) (*Tensor, error) {
	size := Elements(shape) * element.Size()
	if size <= 0 || size > len(b.bytes) {
		return nil, fmt.Errorf("imgvec: BUG: tensor %v of %v over %d bytes", shape, element, len(b.bytes))
	}
	bytes := b.bytes[:size:size]
	value, err := onnxruntime_go.NewCustomDataTensor(onnxruntime_go.NewShape(shape...), bytes, onnxruntime_go.TensorElementDataType(element))
	if err != nil {
		return nil, native("create tensor", err)
	}
	return &Tensor{value, bytes}, nil
}

// Float32 is the tensor's memory.
func (t *Tensor) Float32() []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(&t.bytes[0])), len(t.bytes)/4)
}

// Float16 is the tensor's memory as bits of half-precision numbers.
func (t *Tensor) Float16() []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(&t.bytes[0])), len(t.bytes)/2)
}

// Uint8 is the tensor's memory.
func (t *Tensor) Uint8() []uint8 { return t.bytes }

// Destroy frees the view, not the memory.
func (t *Tensor) Destroy() error { return t.value.Destroy() }
