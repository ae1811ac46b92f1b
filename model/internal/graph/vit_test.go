package graph

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestRandomViTs builds one member of each family without a checkpoint: the names that a builder asks for are one naming's, each once.
func TestRandomViTs(t *testing.T) {
	for _, arch := range []string{"vit-s16", "dinov2-s14-reg", "clip-vit-b32", "siglip-b16"} {
		m, r := vitMembers[arch], recorder{newTrained(1)}
		b, err := ViT(arch, 0, thin{r})
		if err != nil {
			t.Errorf("%s: %v", arch, err)
			continue
		}
		dims := b.Declared(Features)
		if want := map[string]int64{"clip": 512}[m.family]; dims[1].Size != max(want, m.width*btoi(m.family != "clip")) {
			t.Errorf("%s: features %v", arch, dims)
		}
		if side := b.Declared(Input)[2].Size; side != 224/m.patch*m.patch && side != 224 {
			t.Errorf("%s: pictures of %d", arch, side)
		}
		slices.Sort(r.names)
		if len(r.names) < 12*int(m.depth) || len(slices.Compact(r.names)) != len(r.names) {
			t.Errorf("%s: %d tensors, some of them twice", arch, len(r.names))
		}
	}
}

// thin makes zeros, which cost nothing, and remembers names alone.
type thin struct{ r recorder }

func (thin) Names() []string                    { return nil }
func (thin) Shape(string) ([]int64, bool)       { return nil, false }
func (thin) Float32s(string) ([]float32, error) { return nil, nil }
func (g thin) Generate(name string, shape []int64) []float32 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	g.r.names = append(g.r.names, name)
	return make([]float32, n)
}

func btoi(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// TestPositionsOfARamp: an interpolation of a straight line is that line, away from the edges, but for the ripples of a
// cubic whose a is not -0.5. What the libraries compute exactly is in vit.json.
func TestPositionsOfARamp(t *testing.T) {
	const old = 20
	rows := make([]float32, old*old*2) // y and x of each
	for y := range old {
		for x := range old {
			rows[2*(y*old+x)], rows[2*(y*old+x)+1] = float32(y), float32(x)
		}
	}
	for _, rule := range []positionRule{{}, {antialias: true}, {offset: 0.1}} {
		for _, size := range []int{11, 16, 20, 33} {
			got := rule.resample(rows, old, size, 2)
			if len(got) != 2*size*size {
				t.Fatalf("%d numbers of a grid of %d", len(got), size)
			}
			for y := size / 4; y < 3*size/4; y++ {
				for x := size / 4; x < 3*size/4; x++ {
					at := func(i int) float64 { return (float64(i)+0.5)*old/(float64(size)+rule.offset) - 0.5 }
					for k, want := range []float64{at(y), at(x)} {
						if v := float64(got[2*(y*size+x)+k]); math.Abs(v-want) > 0.05 {
							t.Fatalf("%+v to %d: %v at (%d, %d), expected %v", rule, size, v, x, y, want)
						}
					}
				}
			}
		}
	}
}

// TestOtherTransformersAreNoViTs: names that begin alike are not enough.
func TestOtherTransformersAreNoViTs(t *testing.T) {
	swin := newTrained(1)
	swin.add("patch_embed.proj.weight", 96, 3, 4, 4)
	swin.add("layers.0.blocks.0.norm1.weight", 96)
	if arch, ok := detectViT(swin); ok {
		t.Errorf("a Swin is taken for %s", arch)
	}
	mae := newTrained(1)
	mae.add("patch_embed.proj.weight", 768, 3, 16, 16)
	mae.add("blocks.0.norm1.weight", 768)
	mae.add("decoder_embed.weight", 512, 768)
	_, err := ViT("vit", 0, mae)
	if err == nil || !strings.Contains(err.Error(), "pos_embed") {
		t.Errorf("%v, expected an error", err)
	}
}
