package executor

import (
	"context"
	"time"

	"github.com/imgvec/imgvec/preprocess"
)

// imageDecoder is the decoder of package preprocess.
type imageDecoder struct {
	worker *preprocess.Worker
	steps  steps // nil where the worker does not tell its steps apart; then all is decoding
	before [2]time.Duration
}

// steps is what a preprocess worker may tell: how long it has decoded and resized since it was made.
type steps interface {
	Busy() (decode, resize time.Duration)
}

func newImageDecoder(w *preprocess.Worker) *imageDecoder {
	d := &imageDecoder{worker: w}
	d.steps, _ = any(w).(steps)
	return d
}

func (d *imageDecoder) into(ctx context.Context, dst []uint8, data []byte) (picture, error) {
	start := time.Now()
	p, err := d.worker.Into(ctx, dst, data)
	pic := picture{width: p.Width, height: p.Height}
	if d.steps == nil {
		pic.decode = time.Since(start)
		return pic, err
	}
	decode, resize := d.steps.Busy()
	pic.decode, pic.resize = decode-d.before[0], resize-d.before[1]
	d.before = [2]time.Duration{decode, resize}
	return pic, err
}

func (d *imageDecoder) close() { d.worker.Close() }
