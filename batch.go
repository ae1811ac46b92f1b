package imgvec

import "fmt"

// Batch is the memory that travels between the decoders and a backend: the pixels of up to Cap images on the way in,
// their feature vectors on the way out. Both are flat, so that a device can copy each with one call.
//
// A Batch belongs to whoever made it (in this module the executor). It is not safe for concurrent use, except that
// different goroutines may fill different images.
type Batch struct {
	Pixels   []uint8   // [Cap, Height, Width, 3], NHWC, RGB
	Features []float32 // [Cap, Dim], row-major

	imageLen, dim int
	n             int
}

// NewBatch lays a batch for models of the given spec over memory that the caller owns. len(pixels) and len(features)
// must hold the same whole number of images; the batch's capacity is that number.
func NewBatch(spec Spec, pixels []uint8, features []float32) (*Batch, error) {
	imageLen, dim := spec.ImageLen(), spec.Dim
	if imageLen <= 0 || dim <= 0 {
		return nil, fmt.Errorf("imgvec: new batch: spec of model %q has no size (image %d bytes, %d features)", spec.Model, imageLen, dim)
	}
	images := len(pixels) / imageLen
	if images == 0 || len(pixels) != images*imageLen || len(features) != images*dim {
		return nil, fmt.Errorf("imgvec: new batch: %d pixel bytes and %d features are not the same whole number of images of %d bytes and %d features",
			len(pixels), len(features), imageLen, dim)
	}
	return &Batch{Pixels: pixels, Features: features, imageLen: imageLen, dim: dim}, nil
}

// Cap is the number of images that the batch has room for.
func (b *Batch) Cap() int { return len(b.Pixels) / b.imageLen }

// Len is the number of images that it holds now: the first Len of its images are valid.
func (b *Batch) Len() int { return b.n }

// SetLen says how many images the batch holds. It panics if n is negative or over Cap.
func (b *Batch) SetLen(n int) {
	if n < 0 || n > b.Cap() {
		panic(fmt.Sprintf("imgvec: BUG: batch of %d images set to %d", b.Cap(), n))
	}
	b.n = n
}

// Image is the memory of image i: [Height, Width, 3] uint8. i counts to Cap, so that images can be filled before
// SetLen. The slice aliases Pixels.
func (b *Batch) Image(i int) []uint8 {
	return b.Pixels[i*b.imageLen : (i+1)*b.imageLen : (i+1)*b.imageLen]
}

// Feature is the feature vector of image i: [Dim] float32. The slice aliases Features.
func (b *Batch) Feature(i int) []float32 {
	return b.Features[i*b.dim : (i+1)*b.dim : (i+1)*b.dim]
}

// Fits tells why a model of the spec can't run the batch; nil where it can.
func (b *Batch) Fits(spec Spec) error {
	switch {
	case spec.MaxBatch > 0 && b.n > spec.MaxBatch:
		return fmt.Errorf("imgvec: run model %q: batch of %d images, the model takes %d", spec.Model, b.n, spec.MaxBatch)
	case b.imageLen != spec.ImageLen() || b.dim != spec.Dim:
		return fmt.Errorf("imgvec: run model %q: the batch is laid out for another model: %d bytes and %d features an image, not %d and %d",
			spec.Model, b.imageLen, b.dim, spec.ImageLen(), spec.Dim)
	}
	return nil
}
