package quantize

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/preprocess"
)

// MinImages is the fewest images that Run works with.
const MinImages = 32

// Of every eight images in the order of the input, so many are for each purpose.
var roles = [8]role{calibrating, measuring, calibrating, measuring, choosing, measuring, calibrating, measuring}

type role int

const (
	calibrating role = iota
	choosing
	measuring
)

// set is some images at model size.
type set struct {
	spec   imgvec.Spec
	pixels []uint8 // [n, height, width, 3]
}

func (s *set) len() int { return len(s.pixels) / s.spec.ImageLen() }

func (s *set) image(i int) []uint8 {
	size := s.spec.ImageLen()
	return s.pixels[i*size : (i+1)*size]
}

// read decodes the images and deals them out. One that can't be decoded is counted and left out.
func (q *quantisation) read(ctx context.Context) error {
	pre, err := preprocess.New(q.model.Spec.Preset, q.opts.Preprocess)
	if err != nil {
		return err
	}
	w := pre.NewWorker()
	defer w.Close()
	for i := range q.sets {
		q.sets[i].spec = q.model.Spec
	}
	n := 0
	dst := make([]uint8, q.model.Spec.ImageLen())
	for item := range q.opts.Items {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := decode(ctx, w, dst, item); err != nil {
			if q.report.Failed++; q.report.Failed == 1 {
				q.log("an image is left out: %s: %v", item.ID, err)
			}
			continue
		}
		s := &q.sets[roles[n%len(roles)]]
		s.pixels = append(s.pixels, dst...)
		if n++; n%100 == 0 {
			q.log("%d images are decoded", n)
		}
	}
	q.report.Images = n
	q.report.Calibrated, q.report.HeldOut = q.sets[calibrating].len(), q.sets[measuring].len()
	if n < MinImages {
		return fmt.Errorf("%d images could be decoded, and at least %d are needed: some to measure ranges on and others to measure the result on; "+
			"a few hundred that are like those to come are best", n, MinImages)
	}
	return nil
}

func decode(ctx context.Context, w *preprocess.Worker, dst []uint8, item imgvec.Item) (err error) {
	data := item.Data
	if data == nil {
		r, err := item.Open()
		if err != nil {
			return err
		}
		data, err = io.ReadAll(io.LimitReader(r, preprocess.DefaultMaxBytes+1))
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	_, err = w.Into(ctx, dst, data)
	return err
}
