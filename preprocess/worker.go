package preprocess

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/preprocess/internal/codec"
)

// Worker is the scratch memory and the decoders of one goroutine. It holds at most a few times 32 MiB between pictures.
type Worker struct {
	p       *Preprocessor
	native  *csrc.Worker
	pix     []uint8 // of a picture that is decoded whole
	held    int64   // of the budget
	ctx     context.Context
	limits  codec.Limits
	careful bool          // of tests: decode also what the crop does not need
	busy    time.Duration // in Into, since it was made
	broken  error
}

// Picture is what Into found.
type Picture struct {
	Width, Height int    // after orientation
	Format        string // "jpeg", "png", "webp", "gif", "bmp", "tiff"
}

// NewWorker makes a worker; it must be closed.
func (p *Preprocessor) NewWorker() *Worker {
	w := &Worker{p: p, limits: p.opts.limits()}
	w.limits.Reserve = w.reserve
	w.native, w.broken = csrc.NewWorker()
	return w
}

// Close frees the worker's memory. It is idempotent.
func (w *Worker) Close() {
	if w.native != nil {
		w.native.Close()
	}
	w.native, w.pix = nil, nil
	w.broken = fmt.Errorf("imgvec: preprocess worker: %w", imgvec.ErrClosed)
}

// Into decodes an encoded image and writes the model's picture to dst: [Height, Width, 3] uint8 RGB of the preset's input
// size, equal to what Pillow and torchvision make. dst's length must be exactly that; after an error its contents are
// undefined. data is neither changed nor kept.
//
// ctx is looked at before the work begins and while it waits for its share of Options.DecodeMemory. The error wraps
// imgvec.ErrDecode, imgvec.ErrTooLarge or ctx's. The Picture's fields are set as far as they are known, also then.
func (w *Worker) Into(ctx context.Context, dst []uint8, data []byte) (picture Picture, err error) {
	size := w.p.preset.InputSize
	if len(dst) != size.Height*size.Width*3 {
		return Picture{}, fmt.Errorf("imgvec: preprocess into %d bytes: a picture of %dx%d has %d", len(dst), size.Width, size.Height, size.Height*size.Width*3)
	}
	if w.broken != nil {
		return Picture{}, w.broken
	}
	if err := ctx.Err(); err != nil {
		return Picture{}, err
	}
	w.ctx = ctx
	start := time.Now()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: the decoder failed on it, which is a bug of imgvec: %v", imgvec.ErrDecode, r)
		}
		w.release()
		w.busy += time.Since(start)
	}()
	err = w.into(&picture, dst, data)
	return picture, err
}

// Busy is how long the worker has decoded and resized since it was made. JPEG does both at once, row by row: there the
// share of the resize is an estimate.
func (w *Worker) Busy() (decode, resize time.Duration) {
	if w.native == nil {
		return w.busy, 0
	}
	resize = w.native.Resized()
	return w.busy - resize, resize
}

func (w *Worker) into(picture *Picture, dst []uint8, data []byte) error {
	opts := &w.p.opts
	if int64(len(data)) > opts.MaxBytes {
		return fmt.Errorf("%w: %d bytes, the limit is %d (raise --max-bytes if you trust the file)", imgvec.ErrTooLarge, len(data), opts.MaxBytes)
	}
	h, err := codec.ReadHeader(data)
	if err != nil {
		return decodeError(err)
	}
	orientation := 1
	if opts.Exif != ExifIgnore || h.AlwaysOrient {
		orientation = h.Orientation
	}
	picture.Format = h.Format
	picture.Width, picture.Height = upright(h.Width, h.Height, orientation)
	if int64(h.Width)*int64(h.Height) > opts.MaxPixels {
		return fmt.Errorf("%w: %d x %d pixels, the limit is %d (raise --max-pixels if you trust the file)",
			imgvec.ErrTooLarge, h.Width, h.Height, opts.MaxPixels)
	}
	if h.Width <= 0 || h.Height <= 0 {
		return fmt.Errorf("%w: %s: size %d x %d", imgvec.ErrDecode, h.Format, h.Width, h.Height)
	}
	resize, err := w.p.resizeMemory(h.Width, h.Height, orientation)
	if err != nil {
		return err
	}
	w.pad(dst, picture)
	if h.Format == "jpeg" && w.p.jpeg.lib != nil {
		return w.jpegInto(dst, data, h, orientation, resize)
	}
	return w.wholeInto(dst, data, h, orientation, resize)
}

// pad paints dst with the preset's colour where the resized picture will not fill it.
func (w *Worker) pad(dst []uint8, picture *Picture) {
	preset := &w.p.preset
	g := geometryOf(*preset, picture.Width, picture.Height)
	if g.x.count == preset.InputSize.Width && g.y.count == preset.InputSize.Height {
		return
	}
	if preset.Fill == [3]uint8{} {
		clear(dst)
		return
	}
	for i := 0; i+2 < len(dst); i += 3 {
		copy(dst[i:i+3], preset.Fill[:])
	}
}

// wholeInto decodes a picture to memory, then resizes it, which takes the given bytes more.
func (w *Worker) wholeInto(dst []uint8, data []byte, h codec.Header, orientation int, resize int64) error {
	if err := w.reserve(resize); err != nil {
		return err
	}
	img, err := codec.Decode(data, h, w.limits, w.pix)
	if err != nil {
		return decodeError(err)
	}
	w.pix = img.Pix[:0]
	plan, offset := w.p.plan(img.Width, img.Height, orientation)
	src := csrc.Pixels{Pix: img.Pix, Stride: img.Stride, Step: 3, Width: img.Width, Height: img.Height}
	if err := w.native.Resample(plan, src, dst[offset:]); err != nil {
		return fmt.Errorf("imgvec: resize: %w", err)
	}
	return nil
}

// decodeError says which of imgvec's errors a decoder's is.
func decodeError(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, codec.ErrTooLarge):
		return fmt.Errorf("%w: %w", imgvec.ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", imgvec.ErrDecode, err)
}

// reserve takes the bytes of one picture out of the budget, and waits until they are there. A picture that alone is over
// the budget gets all of it. Asked again for the same picture it gives back first what it holds: two workers that each
// hold a part and wait for more would wait for ever.
func (w *Worker) reserve(bytes int64) error {
	before := w.held
	w.giveBack()
	bytes = min(before+bytes, w.p.opts.DecodeMemory)
	if err := w.p.budget.Acquire(w.ctx, bytes); err != nil {
		return err
	}
	w.held = bytes
	return nil
}

func (w *Worker) giveBack() {
	if w.held > 0 {
		w.p.budget.Release(w.held)
		w.held = 0
	}
}

// keep is how much memory for pixels a worker holds between pictures.
const keep = 32 << 20

func (w *Worker) release() {
	w.giveBack()
	w.ctx = nil
	if cap(w.pix) > keep {
		w.pix = nil
	}
}
