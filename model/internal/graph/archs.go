package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imgvec/imgvec/internal/onnx"
)

// family is one row of the table of architectures that can be built: everything that the rest of the program needs to
// know about them.
type family struct {
	name  string   // for people
	archs []string // members that have a name
	side  func(arch string) int
	// detect tells the member that a checkpoint is one of, by its tensors' names and shapes.
	detect func(src Source) (arch string, ok bool)
	// build makes the graph. size is the side of the pictures, 0 the checkpoint's own.
	build func(arch string, size int, src Source) (*onnx.Builder, error)
}

// families is the table. The first family that recognises a checkpoint has it.
var families = []family{resnetFamily, liteFamily, convnextFamily, vitFamily}

func familyOf(arch string) (family, bool) {
	for _, f := range families {
		if slices.Contains(f.archs, arch) {
			return f, true
		}
	}
	return family{}, false
}

// Archs lists the architectures that can be built, sorted.
func Archs() []string {
	var names []string
	for _, f := range families {
		names = append(names, f.archs...)
	}
	slices.Sort(names)
	return names
}

// Known tells whether arch can be built.
func Known(arch string) bool {
	_, ok := familyOf(arch)
	return ok
}

// Side is the side of the pictures that an architecture was made for, in pixels; 0 where arch is unknown, or where the
// checkpoint tells it.
func Side(arch string) int {
	f, ok := familyOf(arch)
	if !ok {
		return 0
	}
	return f.side(arch)
}

// Build makes the graph of an architecture, one of [Archs], for pictures of size x size pixels, from a checkpoint under
// any of the namings that its family knows. size 0 is the side that the checkpoint was trained for. The graph has the
// input [Input] [N,3,size,size] and the output [Features] [N,D]; [Logits] [N,classes] where the checkpoint has a
// classifier. [onnx.Builder.Declared] tells the sizes. A checkpoint that is not exactly the architecture is a
// *MismatchError.
func Build(arch string, size int, src Source) (*onnx.Builder, error) {
	f, ok := familyOf(arch)
	if !ok {
		return nil, fmt.Errorf("architecture %q is unknown; the ones that are known: %s", arch, strings.Join(Archs(), ", "))
	}
	if size < 0 || size > maxSide {
		return nil, fmt.Errorf("pictures of %d pixels are not possible", size)
	}
	return f.build(arch, size, src)
}

// maxSide bounds a picture's side; the largest of a published model is below 1,100.
const maxSide = 8192
