package cpu

import (
	"errors"
	"fmt"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/float16"
	"github.com/imgvec/imgvec/internal/ort"
)

// stream is the scratch of one batch that computes: the model's input and output, kept from Run to Run.
type stream struct {
	session       *ort.Session
	input, output *ort.Buffer
	room          int // images that the buffers hold
	views         map[int]*view
}

// view is the scratch seen as tensors of n images.
type view struct {
	in, out *ort.Tensor
}

// view gives the tensors for n images, made at the first batch of that size.
func (s *stream) view(b *Backend, n int) (*view, error) {
	if v, ok := s.views[n]; ok {
		return v, nil
	}
	if n > s.room {
		if err := s.free(); err != nil {
			return nil, err
		}
		var err error
		if s.input, err = ort.NewBuffer(n * b.spec.ImageLen() * b.shapes.Input.DType.Size()); err != nil {
			return nil, err
		}
		if s.output, err = ort.NewBuffer(n * b.spec.Dim * b.shapes.Output.DType.Size()); err != nil {
			return nil, errors.Join(err, s.free())
		}
		s.room, s.views = n, map[int]*view{}
	}
	in, err := s.input.Tensor(b.shapes.Input.DType, ort.InputShape(b.spec, int64(n)))
	if err != nil {
		return nil, err
	}
	out, err := s.output.Tensor(b.shapes.Output.DType, b.shapes.OutputShape(n))
	if err != nil {
		return nil, errors.Join(err, in.Destroy())
	}
	v := &view{in, out}
	s.views[n] = v
	return v, nil
}

// run computes the features of images from..from+n of the batch, where the session takes size at a time.
func (s *stream) run(b *Backend, batch *imgvec.Batch, from, n, size int) error {
	v, err := s.view(b, size)
	if err != nil {
		return err
	}
	pixels := batch.Pixels[from*b.spec.ImageLen() : (from+n)*b.spec.ImageLen()]
	start := time.Now()
	b.fill(v.in, pixels, n)
	filled := time.Now()
	err = s.session.Run(v.in, v.out)
	b.busy[0].Add(int64(filled.Sub(start)))
	b.busy[1].Add(int64(time.Since(filled)))
	if err != nil {
		return fmt.Errorf("imgvec: run model %q on %d images: %w", b.spec.Model, n, err)
	}
	features := batch.Features[from*b.spec.Dim : (from+n)*b.spec.Dim]
	if b.shapes.Output.DType == ort.Float32 {
		copy(features, v.out.Float32())
		return nil
	}
	for i, h := range v.out.Float16()[:len(features)] {
		features[i] = float16.To(h)
	}
	return nil
}

// fill turns pixels into the model's input. What lies behind n images in a padded batch is left as it was.
func (b *Backend) fill(in *ort.Tensor, pixels []uint8, n int) {
	size, order := b.spec.Preset.InputSize, b.spec.Preset.ChannelOrder
	switch b.shapes.Input.DType {
	case ort.Float32:
		csrc.Normalize(in.Float32()[:len(pixels)], pixels, n, size.Height, size.Width, &b.table, b.spec.Layout, order)
	case ort.Float16:
		csrc.NormalizeF16(in.Float16()[:len(pixels)], pixels, n, size.Height, size.Width, &b.table, b.spec.Layout, order)
	default:
		permute(in.Uint8()[:len(pixels)], pixels, n, size.Height*size.Width, b.spec.Layout, order)
	}
}

// permute moves the bytes of n pictures, [n, area, 3] RGB, to the given layout and order.
func permute(dst, src []uint8, n, area int, layout imgvec.Layout, order imgvec.ChannelOrder) {
	pixel, plane := 3, 1 // strides of the destination
	if layout == imgvec.NCHW {
		pixel, plane = 1, area
	}
	for i := range n {
		from, to := src[i*area*3:(i+1)*area*3], dst[i*area*3:(i+1)*area*3]
		for c := range 3 {
			place := c * plane
			if order == imgvec.BGR {
				place = (2 - c) * plane
			}
			for p := range area {
				to[p*pixel+place] = from[p*3+c]
			}
		}
	}
}

func (s *stream) free() error {
	var errs []error
	for _, v := range s.views {
		errs = append(errs, v.in.Destroy(), v.out.Destroy())
	}
	for _, buffer := range []*ort.Buffer{s.input, s.output} {
		if buffer != nil {
			buffer.Free()
		}
	}
	*s = stream{session: s.session}
	return errors.Join(errs...)
}
