package imgvec

import "fmt"

// Precision is the arithmetic that a session computes in. Features are float32 whatever it is.
type Precision string

// The precisions.
const (
	PrecisionAuto Precision = "auto" // the fastest of the device's that holds the model's accuracy
	FP32          Precision = "fp32"
	BF16          Precision = "bf16"
	FP16          Precision = "fp16"
	INT8          Precision = "int8" // a quantised model only
)

// ParsePrecision reads a precision's name; "" is auto.
func ParsePrecision(s string) (Precision, error) {
	switch p := Precision(s); p {
	case "":
		return PrecisionAuto, nil
	case PrecisionAuto, FP32, BF16, FP16, INT8:
		return p, nil
	}
	return "", fmt.Errorf("imgvec: precision %q is unknown (auto, fp32, bf16, fp16, int8)", s)
}
