package checkpoint

import (
	"encoding/binary"
	"math"

	"github.com/imgvec/imgvec/internal/float16"
)

// DType is the element type of a tensor in a file.
type DType string

// The element types that the readers know, in safetensors' names.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

// Size is the bytes of one element, 0 for a type that is not known.
func (d DType) Size() int64 {
	switch d {
	case F64, I64:
		return 8
	case F32, I32:
		return 4
	case F16, BF16, I16:
		return 2
	case I8, U8, Bool:
		return 1
	}
	return 0
}

// float reads the element that b starts with.
func (d DType) float(b []byte) float32 {
	le := binary.LittleEndian
	switch d {
	case F64:
		return float32(math.Float64frombits(le.Uint64(b)))
	case F32:
		return math.Float32frombits(le.Uint32(b))
	case F16:
		return float16.To(le.Uint16(b))
	case BF16:
		return math.Float32frombits(uint32(le.Uint16(b)) << 16)
	case I64:
		return float32(int64(le.Uint64(b)))
	case I32:
		return float32(int32(le.Uint32(b)))
	case I16:
		return float32(int16(le.Uint16(b)))
	case I8:
		return float32(int8(b[0]))
	}
	return float32(b[0])
}
