package onnx

// Field numbers of onnx.proto3, by message.
const (
	modelIRVersion = 1
	modelProducer  = 2
	modelDocString = 6
	modelGraph     = 7
	modelOpset     = 8
	modelFunctions = 25

	opsetDomain  = 1
	opsetVersion = 2

	graphNode        = 1
	graphName        = 2
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	graphValueInfo   = 13
	graphSparse      = 15

	nodeInput     = 1
	nodeOutput    = 2
	nodeName      = 3
	nodeOp        = 4
	nodeAttribute = 5
	nodeDomain    = 7

	attrName   = 1
	attrF      = 2
	attrI      = 3
	attrTensor = 5
	attrGraph  = 6
	attrFloats = 7
	attrInts   = 8
	attrGraphs = 11
	attrType   = 20

	tensorDims         = 1
	tensorType         = 2
	tensorSegment      = 3
	tensorFloatData    = 4
	tensorInt32Data    = 5
	tensorInt64Data    = 7
	tensorName         = 8
	tensorRaw          = 9
	tensorExternal     = 13
	tensorDataLocation = 14

	valueName = 1
	valueType = 2

	typeTensor  = 1
	tensorElem  = 1
	tensorShape = 2
	shapeDim    = 1
	dimValue    = 1
	dimParam    = 2

	entryKey   = 1
	entryValue = 2
)

// AttributeProto.AttributeType.
const (
	attrTypeFloat  = 1
	attrTypeInt    = 2
	attrTypeTensor = 4
	attrTypeInts   = 7
)

// Elem is TensorProto.DataType, the element type of a tensor.
type Elem int32

// The element types that the project meets.
const (
	Float   Elem = 1
	Uint8   Elem = 2
	Int8    Elem = 3
	Int64   Elem = 7
	Float16 Elem = 10
	Double  Elem = 11

	int32Elem Elem = 6
	boolean   Elem = 9
)

// String is numpy's name of the type.
func (e Elem) String() string {
	switch e {
	case Float:
		return "float32"
	case Uint8:
		return "uint8"
	case Int8:
		return "int8"
	case Int64:
		return "int64"
	case Float16:
		return "float16"
	case Double:
		return "float64"
	}
	return "another type"
}
