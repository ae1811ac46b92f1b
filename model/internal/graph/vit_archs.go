package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/imgvec/imgvec/internal/onnx"
)

// vitMember is an architecture with a name. A number of 0 is the checkpoint's.
type vitMember struct {
	family                         string
	width, depth, patch, registers int64
	act                            activation
}

// vitMembers are the named ones. Which activation a CLIP has can't be told by its tensors: the name says it.
var vitMembers = map[string]vitMember{
	"vit": {family: "vit"}, "dinov2": {family: "dinov2"}, "clip": {family: "clip"}, "siglip": {family: "siglip"},
	"vit-s16": {"vit", 384, 12, 16, 0, 0}, "vit-s32": {"vit", 384, 12, 32, 0, 0},
	"vit-b8": {"vit", 768, 12, 8, 0, 0}, "vit-b16": {"vit", 768, 12, 16, 0, 0}, "vit-b32": {"vit", 768, 12, 32, 0, 0},
	"vit-l16": {"vit", 1024, 24, 16, 0, 0}, "vit-l32": {"vit", 1024, 24, 32, 0, 0},
	"dinov2-s14": {"dinov2", 384, 12, 14, 0, 0}, "dinov2-s14-reg": {"dinov2", 384, 12, 14, 4, 0},
	"dinov2-b14": {"dinov2", 768, 12, 14, 0, 0}, "dinov2-b14-reg": {"dinov2", 768, 12, 14, 4, 0},
	"dinov2-l14": {"dinov2", 1024, 24, 14, 0, 0}, "dinov2-l14-reg": {"dinov2", 1024, 24, 14, 4, 0},
	"clip-vit-b32": {"clip", 768, 12, 32, 0, actQuick}, "clip-vit-b32-gelu": {"clip", 768, 12, 32, 0, actGelu},
	"clip-vit-b16": {"clip", 768, 12, 16, 0, actQuick}, "clip-vit-b16-gelu": {"clip", 768, 12, 16, 0, actGelu},
	"clip-vit-l14": {"clip", 1024, 24, 14, 0, actQuick}, "clip-vit-l14-gelu": {"clip", 1024, 24, 14, 0, actGelu},
	"siglip-b16": {"siglip", 768, 12, 16, 0, 0}, "siglip-b32": {"siglip", 768, 12, 32, 0, 0},
	"siglip-l16": {"siglip", 1024, 24, 16, 0, 0}, "siglip-so400m14": {"siglip", 1152, 27, 14, 0, 0}, "siglip-so400m16": {"siglip", 1152, 27, 16, 0, 0},
}

var vitFamily = family{
	name:   "ViT, DINOv2, CLIP's and SigLIP's image towers",
	archs:  slices.Collect(maps.Keys(vitMembers)),
	side:   func(string) int { return 0 },
	detect: detectViT,
	build:  ViT,
}

// ViT builds a Vision Transformer: a plain one, DINOv2, or the image tower of a CLIP or SigLIP. Its features are what
// the family is known by: the class token after the last norm (ViT, DINOv2), the projected embedding (CLIP), the
// attention pool (SigLIP). "vit", "dinov2", "clip" and "siglip" take their sizes from the tensors, the other names
// have them. A [Configured] source says what tensors can't: heads of an unusual number, a CLIP's activation.
func ViT(arch string, size int, src Source) (*onnx.Builder, error) {
	m, ok := vitMembers[arch]
	if !ok {
		return nil, fmt.Errorf("architecture %q is no Vision Transformer that the project knows", arch)
	}
	keys, ok := vitNaming(m.family, src)
	if !ok {
		return nil, &MismatchError{Arch: arch, Missing: []string{"one of " + strings.Join(vitMarkers(m.family), ", ")}}
	}
	if want := []int64{m.width, 3, m.patch, m.patch}; m.width > 0 && has(src, keys.patch+"weight") {
		if have, _ := src.Shape(keys.patch + "weight"); !slices.Equal(have, want) {
			return nil, &MismatchError{Arch: arch, Misshapen: []string{fmt.Sprintf("%sweight: %v, expected %v", keys.patch, have, want)}}
		}
	}
	spec, err := readViT(arch, m, keys, size, src)
	if err != nil {
		return nil, err
	}
	n := &network{Builder: onnx.NewBuilder(arch, fmt.Sprintf("%s, %d blocks of %d, patches of %d", arch, spec.depth, spec.width, spec.patch)), loader: newLoader(arch, src, nil)}
	keys.passOver(n.loader)
	v := &vit{network: n, s: spec, k: keys}
	v.graph()
	return n.done()
}

// detectViT tells the member that a checkpoint is of. A CLIP whose activation no configuration tells is just "clip".
func detectViT(src Source) (arch string, ok bool) {
	keys, ok := vitNaming("", src)
	if !ok || len(src.Names()) == 0 {
		return "", false
	}
	m := vitMember{family: keys.family(src)}
	s := vitSpec{registers: side(src, keys.registers, 1)}
	s.readSizes(keys, m, src)
	if s.depth == 0 {
		return "", false
	}
	act, err := configOf(src).activation()
	if err != nil {
		return m.family, true // to be refused with that error
	}
	if m.family == "clip" && act == actUnknown {
		return m.family, true
	}
	for name, known := range vitMembers {
		same := known.family == m.family && known.width == s.width && known.depth == s.depth && known.patch == s.patch && known.registers == s.registers
		if same && (known.act == act || m.family != "clip") {
			return name, true
		}
	}
	return m.family, true
}

// family tells the family by the tensors that only it has.
func (k vitKeys) family(src Source) string {
	first := strings.ReplaceAll(k.block, "%d", "0")
	switch {
	case k.has(src, k.probe):
		return "siglip"
	case slices.Equal(k.families, []string{"clip", "siglip"}): // a SigLIP has a probe
		return "clip"
	case len(k.families) == 1:
		return k.families[0]
	case k.has(src, k.preNorm+"weight") && slices.Contains(clipDims, side(src, k.projection+"weight", 0)):
		return "clip"
	case k.has(src, first+k.scale1) && k.dino(src):
		return "dinov2"
	}
	return "vit"
}

// dino tells DINOv2 from other models with a layer scale. Hugging Face has no other; in timm's naming DeiT III has a
// classifier.
func (k vitKeys) dino(src Source) bool {
	if k.poolNorm == "" || has(src, k.prefixes[0]+"mask_token") {
		return true
	}
	return k.has(src, k.class) && side(src, k.patch+"weight", 2) == 14 && !has(src, k.head+"weight")
}

// clipDims are the dimensions of the published CLIPs' embeddings. In timm's naming the projection is a classifier; the
// classifiers that it publishes for CLIPs have other numbers of classes.
var clipDims = []int64{512, 640, 768, 1024, 1280}

func (k vitKeys) has(src Source, name string) bool { return name != "" && has(src, name) }
