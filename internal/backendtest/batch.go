package backendtest

import (
	"math/rand/v2"
	"testing"

	"github.com/imgvec/imgvec"
)

// NewBatch makes a batch of the given capacity and length, filled with pictures: image i is that of seed i.
func NewBatch(t testing.TB, spec imgvec.Spec, capacity, n int) *imgvec.Batch {
	t.Helper()
	batch, err := imgvec.NewBatch(spec, make([]uint8, capacity*spec.ImageLen()), make([]float32, capacity*spec.Dim))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		Picture(batch.Image(i), spec.Preset.InputSize, uint64(i))
	}
	batch.SetLen(n)
	for i := range batch.Features {
		batch.Features[i] = poison
	}
	return batch
}

// poison is what features hold before Run; no model gives it.
const poison = -123456.75

// Picture draws a picture that depends on seed: blobs and noise, so that a model tells two of them apart.
func Picture(dst []uint8, size imgvec.Size, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 77))
	block := max(1, size.Width/8)
	colours := make([][3]uint8, (size.Height/block+1)*(size.Width/block+1))
	for i := range colours {
		colours[i] = [3]uint8{uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32())}
	}
	for y := range size.Height {
		for x := range size.Width {
			colour := colours[y/block*(size.Width/block+1)+x/block]
			for c := range 3 {
				dst[(y*size.Width+x)*3+c] = colour[c]/2 + uint8(r.Uint32()&127)
			}
		}
	}
}
