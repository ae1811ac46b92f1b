package graph

import (
	"fmt"
	"math"
	"strings"
)

// vitSpec are the numbers and choices of one Vision Transformer.
type vitSpec struct {
	width, depth, heads, patch int64
	hidden                     int64 // of an MLP; with a gate, of each half
	side                       int64 // of the pictures
	grid                       int64 // patches a side
	registers                  int64
	positions                  int64 // rows of the position embedding in the checkpoint
	oldGrid                    int64 // of the checkpoint
	placed                     int64 // tokens before the patches that have a position: 0, 1 or all
	act                        activation
	epsilon                    float64
	gated                      bool // SwiGLU
	class                      bool // there is a class token
	patchBias, qkvBias         bool
	scaled                     bool // layer scale
	preNorm, norm, poolNorm    bool
	pool                       vitPool
	projection                 int64 // the embedding's dimension; 0: there is none
	rule                       positionRule
}

// vitPool is how tokens become one vector.
type vitPool int

const (
	poolClass vitPool = iota
	poolMean
	poolAttention
)

// prefix is the number of tokens before the patches.
func (s *vitSpec) prefix() int64 {
	if s.class {
		return s.registers + 1
	}
	return s.registers
}

// readViT reads what the tensors' shapes tell. What is missing or misshapen among them shows when they are loaded.
func readViT(arch string, m vitMember, k vitKeys, size int, src Source) (vitSpec, error) {
	s := vitSpec{registers: m.registers, epsilon: k.epsilon}
	if m.registers == 0 && m.width == 0 {
		s.registers = max(side(src, k.registers, 1), configOf(src).Registers)
	}
	s.readSizes(k, m, src)
	if s.width <= 0 || s.depth <= 0 || s.patch <= 0 || s.hidden <= 0 || s.width > 1<<14 || s.hidden > 1<<17 || s.patch > 1<<10 || s.registers > 1<<10 {
		return s, fmt.Errorf("the checkpoint is no %s: width %d, %d blocks, patches of %d, %d in the MLPs", arch, s.width, s.depth, s.patch, s.hidden)
	}
	s.readChoices(k, m, src)
	if err := s.place(arch, m, k, size, src); err != nil {
		return s, err
	}
	c := configOf(src)
	if c.Epsilon > 0 {
		s.epsilon = c.Epsilon
	}
	if err := s.chooseHeads(m, c); err != nil {
		return s, err
	}
	return s, s.chooseActivation(arch, m, k, c)
}

// readSizes: the patch projection is [width, 3, patch, patch]; blocks are counted.
func (s *vitSpec) readSizes(k vitKeys, m vitMember, src Source) {
	s.width, s.patch, s.depth = m.width, m.patch, m.depth
	if m.width == 0 {
		s.width, s.patch = side(src, k.patch+"weight", 0), side(src, k.patch+"weight", 2)
		s.depth = int64(counted(src, func(i int) string { return fmt.Sprintf(k.block, i) + k.norm1 + "weight" }))
	}
	first := strings.ReplaceAll(k.block, "%d", "0")
	in, _, two := strings.Cut(k.fc1, "+")
	s.hidden = side(src, first+in+"weight", 0)
	if out := side(src, first+k.fc2+"weight", 1); two || out > 0 && s.hidden == 2*out {
		s.gated, s.hidden = true, out
	}
	if s.hidden == 0 {
		s.hidden = 4 * s.width
	}
}

// readChoices reads which of the optional parts there are. Block 0 speaks for all: another one that differs lacks
// tensors, or has some that are not expected.
func (s *vitSpec) readChoices(k vitKeys, m vitMember, src Source) {
	first := strings.ReplaceAll(k.block, "%d", "0")
	qkv, _, _ := strings.Cut(k.qkv, "+")
	_, generated := src.(Generator)
	s.patchBias = generated && m.family != "clip" || has(src, k.patch+"bias")
	s.qkvBias = generated || has(src, first+qkv+"bias")
	s.scaled = generated && m.family == "dinov2" || k.has(src, first+k.scale1)
	s.class = m.family != "siglip"
	optional := strings.HasPrefix(k.naming, "OpenAI") && m.width == 0 // open_clip has models without
	s.preNorm = m.family == "clip" && !optional || k.has(src, k.preNorm+"weight")
	s.norm, s.poolNorm = true, k.has(src, k.poolNorm+"weight")
	if k.poolNorm != "" { // timm: whatever there is
		s.class = m.family == "dinov2" || generated && m.family == "vit" || has(src, k.class)
		s.norm = !s.poolNorm
		if s.preNorm {
			s.epsilon = 1e-5
		}
	}
	switch {
	case m.family == "siglip" && (k.poolNorm == "" || generated || k.has(src, k.probe)):
		s.pool = poolAttention
	case s.poolNorm || !s.class:
		s.pool = poolMean
	}
	switch {
	case m.family != "clip":
	case generated:
		s.projection = 512
	case strings.HasPrefix(k.naming, "OpenAI"):
		s.projection = max(side(src, k.projection, 1), 1)
	default:
		s.projection = side(src, k.projection+"weight", 0)
	}
	if m.family == "siglip" || m.family == "dinov2" {
		s.epsilon = 1e-6
	}
}

// chooseHeads: a head has 64 dimensions in every published model of a width up to 1,024; wider ones are listed.
func (s *vitSpec) chooseHeads(m vitMember, c Config) error {
	wide := map[int64]int64{1152: 16, 1280: 16, 1408: 16, 1536: 24, 1664: 16}
	switch {
	case c.Heads > 0:
		s.heads = c.Heads
	case m.family == "siglip" && s.width == 1536:
		s.heads = 16
	case s.width%64 == 0 && s.width <= 1024:
		s.heads = s.width / 64
	default:
		s.heads = wide[s.width]
	}
	if s.heads == 0 {
		return fmt.Errorf("how many attention heads it has can't be told by its tensors, as no published model has the width %d: put the model's config.json beside the weights", s.width)
	}
	if s.width%s.heads != 0 {
		return fmt.Errorf("%d attention heads do not divide the width %d", s.heads, s.width)
	}
	return nil
}

// chooseActivation: a configuration says it, or the name, or the family has one only.
func (s *vitSpec) chooseActivation(arch string, m vitMember, k vitKeys, c Config) error {
	said, err := c.activation()
	switch {
	case err != nil:
		return err
	case said != actUnknown && m.act != actUnknown && said != m.act:
		return fmt.Errorf("%s has the activation %s, the configuration beside the weights says %s: leave --arch out", arch, m.act, said)
	case said != actUnknown:
		s.act = said
	case m.act != actUnknown:
		s.act = m.act
	case m.family == "clip":
		return fmt.Errorf("which activation a CLIP has can't be told by its tensors: name the architecture with QuickGELU (--arch clip-vit-b32 and the like: " +
			"OpenAI's weights and those marked quickgelu) or with GELU (--arch clip-vit-b32-gelu: LAION's and DataComp's), or put the model's config.json or open_clip_config.json beside the weights")
	case m.family == "siglip" && (k.poolNorm == "" || s.timmTanh()):
		s.act = actTanh
	default:
		s.act = actGelu
	}
	return nil
}

// timmTanh tells timm's SigLIPs with the tanh approximation. It computes the older ones, of the same weights at Hugging
// Face, with the exact function.
func (s *vitSpec) timmTanh() bool {
	return s.patch == 32 || s.patch == 16 && s.width > 1024 || s.width == 1024 && s.positions == 1024
}

// place reads the position embedding's grid, and settles the pictures' size.
func (s *vitSpec) place(arch string, m vitMember, k vitKeys, size int, src Source) error {
	if _, generated := src.(Generator); generated {
		s.side = int64(size)
		if size == 0 {
			s.side = 224
		}
		s.grid = s.side / s.patch
		s.oldGrid, s.placed = s.grid, s.prefix()
		s.positions = s.grid*s.grid + s.placed
		return nil
	}
	if shape, ok := src.Shape(k.position); ok && len(shape) >= 2 {
		s.positions = shape[len(shape)-2]
	}
	s.placed = -1
	for _, tokens := range []int64{0, min(s.prefix(), 1), s.prefix()} {
		if root := int64(math.Sqrt(float64(s.positions - tokens))); s.placed < 0 && root > 0 && root*root == s.positions-tokens {
			s.oldGrid, s.placed = root, tokens
		}
	}
	if s.placed < 0 || s.oldGrid > 1<<10 {
		return &MismatchError{Arch: arch, Misshapen: []string{fmt.Sprintf("%s: %d positions, expected a square and the %d tokens before it", k.position, s.positions, s.prefix())}}
	}
	if m.family == "dinov2" && s.placed == 0 && s.registers == 0 { // only with registers the class token has no position
		return &MismatchError{Arch: arch, Missing: []string{k.registers}}
	}
	s.side, s.grid = int64(size), int64(size)/s.patch
	if size == 0 {
		s.side, s.grid = s.oldGrid*s.patch, s.oldGrid
	}
	return s.checkGrid(m, k, src)
}

// maxGrid bounds the patches a side: attention costs the fourth power. Published models have 74 at most.
const maxGrid = 256

// checkGrid refuses pictures that the reference refuses. DINOv2 takes any grid.
func (s *vitSpec) checkGrid(m vitMember, k vitKeys, src Source) error {
	own := s.oldGrid * s.patch
	switch {
	case s.grid > maxGrid || s.side > maxSide:
		return fmt.Errorf("%dx%d patches of %d pixels are more than is possible (%dx%d)", s.grid, s.grid, s.patch, maxGrid, maxGrid)
	case m.family != "dinov2" && s.grid != s.oldGrid:
		return fmt.Errorf("it was trained on pictures of %d pixels (%dx%d patches of %d), and the preset gives %d: choose a preset of that size", own, s.oldGrid, s.oldGrid, s.patch, s.side)
	case m.family == "dinov2" && s.side%s.patch != 0 || s.grid == 0:
		return fmt.Errorf("pictures of %d pixels are no whole number of patches of %d: choose a preset of another size, such as %d", s.side, s.patch, max(s.grid, 1)*s.patch)
	}
	official := k.poolNorm != "" && has(src, k.prefixes[0]+"mask_token")
	s.rule.antialias = s.registers > 0 || k.poolNorm != "" && !official
	if official && s.registers == 0 {
		s.rule.offset = 0.1
	}
	return nil
}
