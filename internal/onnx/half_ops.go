package onnx

// ownDomain is the long name of ONNX's own domain, which is mostly written as "".
const ownDomain = "ai.onnx"

// Why nodes stay in float32.
const (
	whyRange    = "its results can leave float16's range"
	whySum      = "sums can leave float16's range"
	whyKernel   = "no float16 kernel on the CUDA provider"
	whyCount    = "float16 counts to 2048 only"
	whyCompare  = "values must compare as in float32"
	whyStandard = "ONNX has it in float32 only"
	whyVariance = "part of a variance, whose squares leave float16's range"
	whyLarge    = "a constant is over 65504"
	whySmall    = "a constant is under 2^-14, where float16 loses precision"
	whyFollow   = "only moves values that stay in float32"
	whyForeign  = "not one of ONNX's own operators"
	whyBody     = "control flow"
	whyType     = "the type of an input is not known"
	whyOther    = "not known to be safe in float16"
)

// halfOp is what the conversion knows of an operation.
type halfOp struct {
	inputs    []int  // those that share the type of the result; nil: all
	outs      int    // how many of the outputs have that type; 0: all
	since     int64  // operator set from which on the CUDA provider has a float16 kernel; 0: all
	moves     bool   // only moves values about: it follows its input
	saturates bool   // a constant over float16's range may become its end
	bias      int    // an input that is only added: it may be too small to count; 0: none
	keep      string // why it stays in float32; empty: it need not
}

var first = []int{0}

// halfOps are the operations that are known. Those without a reason have a float16 kernel on the CUDA provider that adds
// up in float32 where it adds up, and results of the size of their inputs. Others stay in float32.
var halfOps = map[string]halfOp{
	"Conv": {bias: 2}, "ConvTranspose": {bias: 2}, "Gemm": {bias: 2}, "MatMul": {}, "Einsum": {},
	"BatchNormalization": {outs: 1, bias: 2}, "InstanceNormalization": {bias: 2}, "LayerNormalization": {outs: 1, bias: 2},
	"Softmax": {}, "LogSoftmax": {},

	"AveragePool": {}, "GlobalAveragePool": {}, "MaxPool": {outs: 1}, "GlobalMaxPool": {},
	"ReduceMean": {inputs: first}, "ReduceMax": {inputs: first}, "ReduceMin": {inputs: first},

	"Add": {}, "Sub": {}, "Mul": {}, "Div": {}, "Sum": {}, "Neg": {}, "Abs": {}, "Sign": {},
	"Relu": {}, "LeakyRelu": {}, "PRelu": {}, "Elu": {}, "Selu": {}, "ThresholdedRelu": {}, "Sigmoid": {}, "HardSigmoid": {},
	"HardSwish": {}, "Tanh": {}, "Softsign": {}, "Erf": {}, "Gelu": {},
	"Max": {saturates: true}, "Min": {saturates: true}, "Clip": {saturates: true, since: 12},
	"Where": {inputs: []int{1, 2}, saturates: true}, "Pad": {inputs: []int{0, 2}, saturates: true},
	"Resize": {inputs: first}, "Upsample": {inputs: first},

	"Identity": {moves: true}, "Reshape": {inputs: first, moves: true}, "Flatten": {moves: true}, "Transpose": {moves: true},
	"Squeeze": {inputs: first, moves: true}, "Unsqueeze": {inputs: first, moves: true}, "Expand": {inputs: first, moves: true},
	"Tile": {inputs: first, moves: true}, "Slice": {inputs: first, moves: true}, "Split": {inputs: first, moves: true},
	"Concat": {moves: true}, "Gather": {inputs: first, moves: true}, "GatherElements": {inputs: first, moves: true},
	"GatherND": {inputs: first, moves: true}, "ScatterND": {inputs: []int{0, 2}, moves: true},
	"ScatterElements": {inputs: []int{0, 2}, moves: true}, "Dropout": {inputs: first, outs: 1, moves: true},
	"DepthToSpace": {moves: true}, "SpaceToDepth": {moves: true}, "Trilu": {inputs: first, moves: true},
	"Compress": {inputs: first, moves: true},

	"Pow": {inputs: first, keep: whyRange}, "Exp": {keep: whyRange}, "Log": {keep: whyRange}, "Sqrt": {keep: whyRange},
	"Reciprocal": {keep: whyRange}, "Softplus": {keep: whyRange},
	"ReduceSum": {inputs: first, keep: whySum}, "ReduceSumSquare": {inputs: first, keep: whySum},
	"ReduceL1": {inputs: first, keep: whySum}, "ReduceL2": {inputs: first, keep: whySum}, "ReduceProd": {inputs: first, keep: whySum},
	"ReduceLogSum": {inputs: first, keep: whySum}, "ReduceLogSumExp": {inputs: first, keep: whySum},
	"LRN": {keep: whySum}, "LpNormalization": {keep: whySum}, "LpPool": {keep: whySum}, "GlobalLpPool": {keep: whySum},
	"MeanVarianceNormalization": {keep: whySum}, "CumSum": {inputs: first, keep: whySum},
	"Floor": {keep: whyCount}, "Ceil": {keep: whyCount}, "Round": {keep: whyCount}, "Mod": {keep: whyCount},
	"Range": {keep: whyStandard}, "Sin": {keep: whyRange}, "Cos": {keep: whyRange},
	"Equal": {keep: whyCompare}, "Greater": {keep: whyCompare}, "GreaterOrEqual": {keep: whyCompare}, "Less": {keep: whyCompare},
	"LessOrEqual": {keep: whyCompare}, "ArgMax": {keep: whyCompare}, "ArgMin": {keep: whyCompare},
	"TopK": {inputs: first, outs: 1, keep: whyCompare}, "NonMaxSuppression": {keep: whyStandard},
	"GroupNormalization": {keep: whyKernel}, "RoiAlign": {inputs: []int{0, 1}, keep: whyKernel}, "GridSample": {inputs: first, keep: whyKernel},
	"Mish": {keep: whyKernel}, "Celu": {keep: whyStandard}, "Mean": {keep: whyKernel}, "Tan": {keep: whyKernel},
	"DequantizeLinear": {inputs: []int{}, keep: whyStandard},
}

// fixedTypes are the types of results that do not depend on the inputs'.
var fixedTypes = map[string]Elem{
	"Shape": Int64, "Size": Int64, "ArgMax": Int64, "ArgMin": Int64, "NonZero": Int64, "NonMaxSuppression": Int64,
	"Equal": boolean, "Greater": boolean, "GreaterOrEqual": boolean, "Less": boolean, "LessOrEqual": boolean,
	"And": boolean, "Or": boolean, "Xor": boolean, "Not": boolean, "IsNaN": boolean, "IsInf": boolean,
	"DequantizeLinear": Float, // by the float32 of its scale; seen in visit
}

// takes tells whether input k has the type of the result.
func (op halfOp) takes(k int) bool {
	if op.inputs == nil {
		return true
	}
	for _, i := range op.inputs {
		if i == k {
			return true
		}
	}
	return false
}

// gives tells whether output k has the type of the inputs.
func (op halfOp) gives(k int) bool { return op.outs == 0 || k < op.outs }
