package imgvec_test

import (
	"testing"

	"github.com/imgvec/imgvec"
)

func smallSpec() imgvec.Spec {
	return imgvec.Spec{Model: "small", Dim: 3, Preset: imgvec.Preset{InputSize: imgvec.Size{Height: 2, Width: 4}}}
}

func TestBatchLaysImagesSideBySide(t *testing.T) {
	spec := smallSpec()
	b, err := imgvec.NewBatch(spec, make([]uint8, 5*24), make([]float32, 5*3))
	if err != nil {
		t.Fatal(err)
	}
	if b.Cap() != 5 || b.Len() != 0 {
		t.Errorf("a new batch has Cap %d and Len %d, want 5 and 0", b.Cap(), b.Len())
	}
	for i := range b.Cap() {
		image, feature := b.Image(i), b.Feature(i)
		if len(image) != 24 || cap(image) != 24 || len(feature) != 3 || cap(feature) != 3 {
			t.Fatalf("image %d has %d bytes (cap %d), %d features (cap %d)", i, len(image), cap(image), len(feature), cap(feature))
		}
		image[0], image[23], feature[2] = uint8(i+1), uint8(i+1), float32(i+1)
	}
	for i := range b.Cap() {
		if b.Pixels[i*24] != uint8(i+1) || b.Pixels[i*24+23] != uint8(i+1) || b.Features[i*3+2] != float32(i+1) {
			t.Errorf("image %d does not lie at its place", i)
		}
	}
	b.SetLen(5)
	if b.Len() != 5 {
		t.Errorf("Len = %d after SetLen(5)", b.Len())
	}
}

func TestNewBatchRefusesMemoryOfAnotherShape(t *testing.T) {
	spec := smallSpec()
	for name, size := range map[string][2]int{
		"nothing": {0, 0}, "part of an image": {23, 3}, "one and a half": {36, 3}, "fewer features": {48, 3}, "more features": {24, 6}, "odd features": {24, 4},
	} {
		if _, err := imgvec.NewBatch(spec, make([]uint8, size[0]), make([]float32, size[1])); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := imgvec.NewBatch(imgvec.Spec{}, make([]uint8, 10), make([]float32, 10)); err == nil {
		t.Error("a spec without sizes: no error")
	}
}

func TestSetLenPanicsOutOfRange(t *testing.T) {
	b, err := imgvec.NewBatch(smallSpec(), make([]uint8, 24), make([]float32, 3))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{-1, 2} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("SetLen(%d) on a batch of 1 did not panic", n)
				}
			}()
			b.SetLen(n)
		}()
	}
}

func TestBatchFitsItsModelOnly(t *testing.T) {
	spec := smallSpec()
	b, err := imgvec.NewBatch(spec, make([]uint8, 5*24), make([]float32, 5*3))
	if err != nil {
		t.Fatal(err)
	}
	b.SetLen(4)
	if err := b.Fits(spec); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*imgvec.Spec){
		"a smaller largest batch": func(s *imgvec.Spec) { s.MaxBatch = 3 },
		"another picture":         func(s *imgvec.Spec) { s.Preset.InputSize.Width = 5 },
		"other features":          func(s *imgvec.Spec) { s.Dim = 4 },
	} {
		other := spec
		if change(&other); b.Fits(other) == nil {
			t.Errorf("it fits a model of %s", name)
		}
	}
}
