package graph

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
)

// Generator is a Source that makes tensors of any shape instead of having them; builders ask it for nothing else.
type Generator interface {
	Source
	// Generate makes a tensor; the caller may change it.
	Generate(name string, shape []int64) []float32
}

// randomWeights makes trained-looking tensors: He's initialisation, unit batch norms, residual branches scaled down so
// that activations neither grow nor vanish with depth.
type randomWeights struct{ seed uint64 }

// RandomWeights makes random weights for arch. A tensor depends on the seed and its name only, and is computed
// without a function that could differ between machines.
func RandomWeights(arch string, seed uint64) (Generator, error) {
	if !Known(arch) {
		return nil, fmt.Errorf("architecture %q is unknown", arch)
	}
	return randomWeights{seed}, nil
}

func (randomWeights) Names() []string                    { return nil }
func (randomWeights) Shape(string) ([]int64, bool)       { return nil, false }
func (randomWeights) Float32s(string) ([]float32, error) { return nil, nil }

// lastNorm matches the batch norm that ends a residual branch.
var lastNorm = regexp.MustCompile(`^layer\d+\.\d+\.bn3\.weight$|_bn2\.weight$`)

// Generate implements Generator.
func (r randomWeights) Generate(name string, shape []int64) []float32 {
	n := int64(1)
	for _, side := range shape {
		n *= side
	}
	values := make([]float32, n)
	switch {
	case len(shape) == 4:
		fanIn := float64(shape[1] * shape[2] * shape[3])
		r.normal(values, name, math.Sqrt(2/fanIn))
	case len(shape) == 2:
		r.normal(values, name, 0.01)
	case strings.HasSuffix(name, ".running_var") || strings.HasSuffix(name, ".weight") || strings.HasSuffix(name, ".gamma"):
		one := float32(1)
		if lastNorm.MatchString(name) || strings.HasSuffix(name, ".gamma") {
			one = 0.25
		}
		for i := range values {
			values[i] = one
		}
	}
	return values
}

// normal fills values with sums of four uniform integers, which are nearly normal, exact, and cheap.
func (r randomWeights) normal(values []float32, name string, std float64) {
	seed := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte(name+"\x00"), r.seed))
	source := rand.NewPCG(binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:]))
	const sumStd = 37837.22772 // of four uniform 16-bit numbers: sqrt(4 * (65536^2 - 1) / 12)
	factor := float32(std / sumStd)
	for i := range values {
		u := source.Uint64()
		sum := int64(u&0xffff) + int64(u>>16&0xffff) + int64(u>>32&0xffff) + int64(u>>48)
		values[i] = float32(sum-2*65535) * factor
	}
}
