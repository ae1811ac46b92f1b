package executor

import (
	"context"
	"time"

	"github.com/imgvec/imgvec/preprocess"
)

// imageDecoder is the decoder of package preprocess.
type imageDecoder struct {
	worker         *preprocess.Worker
	decode, resize time.Duration // that the worker had counted before the next image
}

func newImageDecoder(w *preprocess.Worker) *imageDecoder { return &imageDecoder{worker: w} }

func (d *imageDecoder) into(ctx context.Context, dst []uint8, data []byte) (picture, error) {
	p, err := d.worker.Into(ctx, dst, data)
	decode, resize := d.worker.Busy()
	pic := picture{width: p.Width, height: p.Height, decode: decode - d.decode, resize: resize - d.resize}
	d.decode, d.resize = decode, resize
	return pic, err
}

func (d *imageDecoder) close() { d.worker.Close() }
