package checkpoint

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// Tensor is one tensor of a checkpoint; its elements are read on demand.
type Tensor struct {
	Name  string
	Shape []int64
	DType DType

	storage *storage
	offset  int64   // of the first element in the storage, in elements
	stride  []int64 // in elements; nil: contiguous
}

// storage is a run of elements in the file that tensors look into.
type storage struct {
	dtype  DType
	length int64 // elements
	start  int64 // in the file, bytes
	data   io.ReaderAt
	check  func() error // verifies a checksum before the first read; nil: there is none
}

func (s *storage) verify() error {
	if s.check == nil {
		return nil
	}
	err := s.check()
	if err == nil {
		s.check = nil
	}
	return err
}

// Len is the number of elements.
func (t *Tensor) Len() int64 {
	n, _ := numel(t.Shape)
	return n
}

// numel multiplies the sides; ok is false where one is negative or the product overflows.
func numel(shape []int64) (n int64, ok bool) {
	n = 1
	for _, side := range shape {
		if side < 0 || side != 0 && n > math.MaxInt64/8/side {
			return 0, false
		}
		n *= side
	}
	return n, true
}

// place checks that the tensor lies inside its storage and does not repeat elements, which bounds what reading it
// allocates by the file's size.
func (t *Tensor) place() error {
	n, ok := numel(t.Shape)
	if !ok || len(t.Shape) > 16 {
		return fmt.Errorf("tensor %q: shape %v is not possible", t.Name, t.Shape)
	}
	if t.offset < 0 || n > t.storage.length {
		return fmt.Errorf("tensor %q: %d elements do not fit its storage of %d", t.Name, n, t.storage.length)
	}
	last := t.offset
	for i, step := range t.strides() {
		if n == 0 {
			break
		}
		if step < 0 || t.Shape[i] > 1 && step > (math.MaxInt64/2-last)/(t.Shape[i]-1) {
			return fmt.Errorf("tensor %q: stride %v is not possible", t.Name, t.stride)
		}
		last += step * (t.Shape[i] - 1)
	}
	if n > 0 && last >= t.storage.length {
		return fmt.Errorf("tensor %q: reaches element %d of a storage of %d", t.Name, last, t.storage.length)
	}
	if slices.Equal(t.stride, contiguous(t.Shape)) {
		t.stride = nil
	}
	return nil
}

func (t *Tensor) strides() []int64 {
	if t.stride != nil {
		return t.stride
	}
	return contiguous(t.Shape)
}

func contiguous(shape []int64) []int64 {
	strides := make([]int64, len(shape))
	step := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = step
		step *= shape[i]
	}
	return strides
}

// Float32s reads all elements, row-major, as float32. float16 and bfloat16 are exact; float64 and integers are
// rounded. The slice is the caller's.
func (t *Tensor) Float32s() ([]float32, error) {
	n, size := t.Len(), t.DType.Size()
	if n == 0 {
		return nil, nil
	}
	if err := t.storage.verify(); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	strides := t.strides()
	last := int64(0)
	for i, step := range strides {
		last += step * (t.Shape[i] - 1)
	}
	raw := make([]byte, (last+1)*size)
	if _, err := t.storage.data.ReadAt(raw, t.offset*size); err != nil {
		return nil, fmt.Errorf("tensor %q: read %d bytes: %w", t.Name, len(raw), err)
	}
	out := make([]float32, n)
	if t.stride == nil {
		for i := range out {
			out[i] = t.DType.float(raw[int64(i)*size:])
		}
		return out, nil
	}
	gather(out, raw, t.DType, t.Shape, strides)
	return out, nil
}

// gather walks a strided tensor in row-major order.
func gather(out []float32, raw []byte, d DType, shape, strides []int64) {
	index := make([]int64, len(shape))
	at, size := int64(0), d.Size()
	for i := range out {
		out[i] = d.float(raw[at*size:])
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis]++
			at += strides[axis]
			if index[axis] < shape[axis] {
				break
			}
			at -= index[axis] * strides[axis]
			index[axis] = 0
		}
	}
}
