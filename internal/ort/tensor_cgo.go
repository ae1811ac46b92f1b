//go:build cgo && !windows

package ort

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/yalue/onnxruntime_go"
)

// align is what vector code likes memory to start at.
const align = 64

// Buffer is host memory that tensors lie over: pinned, so that native code may keep its address, and aligned. One
// goroutine at a time uses it.
type Buffer struct {
	bytes []byte
	pin   runtime.Pinner
}

// NewBuffer makes a buffer of n bytes.
func NewBuffer(n int) *Buffer {
	b := &Buffer{}
	memory := make([]byte, n+align)
	b.pin.Pin(&memory[0])
	skip := -uintptr(unsafe.Pointer(&memory[0])) % align
	b.bytes = memory[skip : int(skip)+n : int(skip)+n]
	return b
}

// Free unpins the memory. Tensors over it must be destroyed before.
func (b *Buffer) Free() {
	b.pin.Unpin()
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
