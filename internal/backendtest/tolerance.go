package backendtest

import (
	"fmt"
	"math"
)

// Tolerance is how far the features of one image may move with the size of its batch and its position in it:
// kernels are chosen by shape, and add up in another order.
type Tolerance struct {
	Name     string
	Relative float64 // largest |a-b| / |b| of the two vectors (L2)
}

// The tolerances, by the precision that a backend computes in.
var (
	Exact = Tolerance{"exact", 0}
	FP32  = Tolerance{"fp32", 1e-5}
	FP16  = Tolerance{"fp16", 5e-3}
	BF16  = Tolerance{"bf16", 3e-2}
	INT8  = Tolerance{"int8", 3e-2}
)

// check tells how got differs from want, if by more than the tolerance.
func (tol Tolerance) check(got, want []float32) error {
	var diff, norm float64
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return fmt.Errorf("feature %d is %v, alone %v", i, got[i], want[i])
		}
		diff += d * d
		norm += float64(want[i]) * float64(want[i])
	}
	if relative := math.Sqrt(diff) / math.Sqrt(max(norm, math.SmallestNonzeroFloat32)); diff > 0 && relative > tol.Relative {
		return fmt.Errorf("moved by %.3g of its length, %s allows %.3g", relative, tol.Name, tol.Relative)
	}
	return nil
}
