// Package preprocess turns encoded images into RGB bytes of a model's size, equal to Pillow and torchvision to the byte:
// decode, orient, resize, crop, straight into the caller's memory.
//
//	p, err := preprocess.New(spec.Preset, preprocess.Options{})
//	w := p.NewWorker() // one a goroutine
//	defer w.Close()
//	picture, err := w.Into(ctx, batch.Image(i), data)
//
// # How
//
// JPEG goes through libjpeg-turbo, opened at run time, scanline by scanline: the horizontal pass of the resize runs on
// each row as it is decoded, the vertical pass as soon as its rows are there, and what lies outside the crop is not
// converted. So a picture of 12 megapixels takes a few hundred kilobytes. The other formats are decoded whole by package
// internal/codec and then resized by the same loops (package csrc). An orientation is never a step of its own: it is
// folded into the tables of the resize.
//
// # Limits
//
// Bytes and pixels are checked before any pixel is decoded, and the memory of all decodes in flight is bounded by
// Options.DecodeMemory. A panic in any decoder becomes that image's error.
package preprocess
