package checkpoint

import (
	"encoding/binary"
	"math"
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
		return halfToFloat(le.Uint16(b))
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

// halfToFloat widens an IEEE binary16 number; it is exact.
func halfToFloat(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent := uint32(h>>10) & 31
	fraction := uint32(h) & 1023
	switch exponent {
	case 0: // zero and subnormal: fraction * 2^-24
		value := float32(fraction) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(value))
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
