package graph

import (
	"fmt"
	"strings"
)

// Detect tells the architecture of a checkpoint by its tensors' names and shapes. The error says what was looked for and
// what the checkpoint has instead. What Detect says, [Build] checks tensor by tensor.
func Detect(src Source) (arch string, err error) {
	for _, f := range families {
		if arch, ok := f.detect(src); ok {
			return arch, nil
		}
	}
	var looked []string
	for _, f := range families {
		looked = append(looked, f.name)
	}
	return "", fmt.Errorf("its tensors are of no architecture that is known (%s); the first are: %s",
		strings.Join(looked, "; "), firstShapes(src, 6))
}

// firstShapes shows a checkpoint's first tensors.
func firstShapes(src Source, most int) string {
	var parts []string
	names := src.Names()
	for _, name := range names[:min(len(names), most)] {
		shape, _ := src.Shape(name)
		parts = append(parts, fmt.Sprintf("%s %v", name, shape))
	}
	if len(names) > most {
		parts = append(parts, fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(parts, ", ")
}

// has tells whether a source has a tensor.
func has(src Source, name string) bool {
	_, ok := src.Shape(name)
	return ok
}

// side is one side of a tensor's shape, 0 where there is no such tensor or side.
func side(src Source, name string, axis int) int64 {
	if shape, ok := src.Shape(name); ok && axis < len(shape) {
		return shape[axis]
	}
	return 0
}

// counted is the number of tensors name(0), name(1), ... that a source has without a gap.
func counted(src Source, name func(i int) string) int {
	n := 0
	for n < maxBlocks && has(src, name(n)) {
		n++
	}
	return n
}

// maxBlocks bounds the blocks of a stage: what a name can make a builder do.
const maxBlocks = 256
