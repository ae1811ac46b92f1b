package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Names of the values that every built graph has.
const (
	Input    = "input"
	Features = "features"
	Logits   = "logits"
)

// Source gives trained tensors.
type Source interface {
	// Names lists every tensor there is.
	Names() []string
	// Shape is a tensor's shape; ok is false where there is no such tensor.
	Shape(name string) (shape []int64, ok bool)
	// Float32s reads a tensor, row-major.
	Float32s(name string) ([]float32, error)
}

// MismatchError says how a checkpoint differs from the architecture.
type MismatchError struct {
	Arch       string
	Missing    []string // tensors that the architecture has and the checkpoint lacks
	Unexpected []string // tensors that the architecture has no place for
	Misshapen  []string // "name: shape, expected shape"
}

func (e *MismatchError) Error() string {
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"missing", e.Missing}, {"unexpected", e.Unexpected}, {"misshapen", e.Misshapen}} {
		if len(p.names) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", len(p.names), p.what, someOf(p.names, 12)))
		}
	}
	return fmt.Sprintf("the checkpoint is no %s: %s", e.Arch, strings.Join(parts, "; "))
}

func someOf(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(", and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// loader reads tensors by name and shape, and remembers what does not fit.
type loader struct {
	src  Source
	name naming // nil: the checkpoint has the builder's names
	used map[string]bool
	bad  MismatchError
	err  error // of reading
}

// newLoader reads a checkpoint whose names differ from the builder's by name; nil where they do not.
func newLoader(arch string, src Source, name naming) *loader {
	return &loader{src: src, name: name, used: map[string]bool{}, bad: MismatchError{Arch: arch}}
}

// theirs is the checkpoint's name of a tensor.
func (l *loader) theirs(own string) string {
	if l.name == nil {
		return own
	}
	return l.name(own)
}

// shape is the shape that the checkpoint has for a tensor of the builder's name.
func (l *loader) shape(own string) ([]int64, bool) { return l.src.Shape(l.theirs(own)) }

// lacks tells whether the checkpoint has none of the tensors, as one without a head. A [Generator] has every tensor.
func (l *loader) lacks(own ...string) bool {
	if _, ok := l.src.(Generator); ok {
		return false
	}
	for _, name := range own {
		if _, ok := l.shape(name); ok {
			return false
		}
	}
	return true
}

// load reads a tensor by the builder's name, or notes why not and returns zeros, so that one pass finds everything that is wrong.
func (l *loader) load(name string, shape ...int64) []float32 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	name = l.theirs(name)
	l.used[name] = true
	if g, ok := l.src.(Generator); ok {
		return g.Generate(name, shape)
	}
	have, ok := l.src.Shape(name)
	switch {
	case !ok:
		l.bad.Missing = append(l.bad.Missing, name)
		return nil
	case !slices.Equal(have, shape):
		l.bad.Misshapen = append(l.bad.Misshapen, fmt.Sprintf("%s: %v, expected %v", name, have, shape))
		return nil
	case l.failed():
		return nil // no need to read what will be thrown away
	}
	values, err := l.src.Float32s(name)
	if err == nil && int64(len(values)) != n {
		err = fmt.Errorf("tensor %q: %d elements, expected %d", name, len(values), n)
	}
	if err == nil && !finite(values) {
		err = fmt.Errorf("tensor %q holds NaN or infinity", name)
	}
	if err != nil {
		l.err = err
		return nil
	}
	return values
}

// loadFlat reads a tensor that libraries keep in several shapes of the same elements, such as [C], [C,1,1] and [1,1,1,C].
// It is expected in the first.
func (l *loader) loadFlat(name string, shapes ...[]int64) []float32 {
	have, _ := l.shape(name)
	for _, shape := range shapes {
		if slices.Equal(have, shape) {
			return l.load(name, shape...)
		}
	}
	return l.load(name, shapes[0]...)
}

func finite(values []float32) bool {
	for _, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

func (l *loader) failed() bool {
	return l.err != nil || len(l.bad.Missing)+len(l.bad.Misshapen) > 0
}

// finish tells what was wrong. Counters that PyTorch keeps beside a batch norm are no weights.
func (l *loader) finish() error {
	if l.err != nil {
		return l.err
	}
	for _, name := range l.src.Names() {
		if !l.used[name] && !strings.HasSuffix(name, ".num_batches_tracked") {
			l.bad.Unexpected = append(l.bad.Unexpected, name)
		}
	}
	if l.failed() || len(l.bad.Unexpected) > 0 {
		bad := l.bad
		return &bad
	}
	return nil
}

// norm names the four tensors of a batch normalisation.
type norm struct {
	prefix  string // "bn1"
	epsilon float64
}

// foldedConv reads a convolution [out, in, k, k] without bias and the batch norm behind it, as one convolution with
// bias: w' = w*g/sqrt(v+e), b' = beta - mean*g/sqrt(v+e).
func (l *loader) foldedConv(conv string, n norm, out, in, k int64) (weight, bias []float32) {
	weight = l.load(conv+".weight", out, in, k, k)
	gamma := l.load(n.prefix+".weight", out)
	beta := l.load(n.prefix+".bias", out)
	mean := l.load(n.prefix+".running_mean", out)
	variance := l.load(n.prefix+".running_var", out)
	if l.failed() {
		return nil, nil
	}
	bias = make([]float32, out)
	per := in * k * k
	for o := range out {
		if variance[o] < 0 {
			l.err = fmt.Errorf("tensor %q: variance %v is negative", n.prefix+".running_var", variance[o])
			return nil, nil
		}
		factor := float64(gamma[o]) / math.Sqrt(float64(variance[o])+n.epsilon)
		shift := float64(float64(mean[o]) * factor) // rounded by itself: no fused multiply-add on any machine
		bias[o] = float32(float64(beta[o]) - shift)
		row := weight[o*per : (o+1)*per]
		for i := range row {
			row[i] = float32(float64(row[i]) * factor)
		}
	}
	return weight, bias
}
