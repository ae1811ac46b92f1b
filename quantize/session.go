package quantize

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/internal/ort"
)

// batch is how many images go through a session at once. Where all inner tensors are outputs they are all in memory.
const (
	batchAll = 8
	batchTap = 2
)

// start starts ONNX Runtime and learns what batches the model takes.
func (q *quantisation) start() error {
	if _, err := ort.Start(q.opts.LibraryDir); err != nil {
		return err
	}
	for _, in := range q.float.Inputs {
		if in.Name == q.model.Spec.Input && len(in.Shape) == 4 && in.Shape[0].Name == "" {
			q.fixed = int(max(0, in.Shape[0].Size))
		}
	}
	return nil
}

// session is a model that images go through, on ONNX Runtime's own provider.
type session struct {
	taps  *ort.Taps
	spec  imgvec.Spec
	batch int
	fixed int
	path  string
}

// open loads a graph. The options of a float graph and of one in int8 are the same: nothing is to be folded.
func (q *quantisation) open(graph *onnx.Edit, outputs []string, batch int) (*session, error) {
	path, err := q.write(graph)
	if err != nil {
		return nil, errors.Join(err, remove(path))
	}
	taps, err := ort.OpenTaps(path, q.model.Spec.Input, outputs, ort.Options{Streams: 1, Threads: runtime.GOMAXPROCS(0)})
	if err != nil {
		return nil, errors.Join(err, remove(path))
	}
	if q.fixed > 0 {
		batch = q.fixed
	}
	return &session{taps, q.model.Spec, batch, q.fixed, path}, nil
}

func remove(path string) error {
	if path == "" {
		return nil
	}
	return os.Remove(path)
}

func (s *session) close() error { return errors.Join(s.taps.Close(), remove(s.path)) }

// each runs the images and calls see for every output of every batch; n is how many of its images are the set's.
func (s *session) each(ctx context.Context, images *set, see func(output, n int, shape []int64, values []float32) error) (err error) {
	buffer, err := ort.NewBuffer(4 * s.batch * s.spec.ImageLen())
	if err != nil {
		return err
	}
	defer buffer.Free()
	size := s.spec.Preset.InputSize
	table := s.spec.Preset.Table()
	for from := 0; from < images.len(); from += s.batch {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n := min(s.batch, images.len()-from)
		rows := n
		if s.fixed > 0 {
			rows = s.fixed // the rest keeps what was there before
		}
		in, err := buffer.Tensor(ort.Float32, ort.InputShape(s.spec, int64(rows)))
		if err != nil {
			return err
		}
		pixels := images.pixels[from*s.spec.ImageLen() : (from+n)*s.spec.ImageLen()]
		csrc.Normalize(in.Float32()[:len(pixels)], pixels, n, size.Height, size.Width, &table, s.spec.Layout, s.spec.Preset.ChannelOrder)
		err = s.taps.Run(in, func(output int, shape []int64, values []float32) error { return see(output, n, shape, values) })
		if err := errors.Join(err, in.Destroy()); err != nil {
			return err
		}
	}
	return nil
}

// vectors are what a model gives for a set of images.
type vectors struct {
	features [][]float32
	best     []int // index of the highest score; nil where there are no scores
}

// vectors runs a graph over a set.
func (q *quantisation) vectors(ctx context.Context, graph *onnx.Edit, images *set) (v vectors, err error) {
	s, err := q.open(graph, q.outputs(), batchAll)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	err = s.each(ctx, images, func(output, n int, shape []int64, values []float32) error {
		if len(shape) == 0 || int(shape[0]) < n {
			return fmt.Errorf("output %q has shape %v for %d images", q.outputs()[output], shape, n)
		}
		width := len(values) / int(shape[0])
		if output == 1 {
			q.classes = width
		}
		for i := range n {
			row := values[i*width : (i+1)*width]
			if output == 0 {
				v.features = append(v.features, slices.Clone(row))
			} else {
				v.best = append(v.best, highest(row))
			}
		}
		return nil
	})
	return v, err
}

func highest(row []float32) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

// cosines compares the features of two models, image by image.
func cosines(a, b vectors) []float64 {
	list := make([]float64, len(a.features))
	for i := range list {
		list[i] = cosine(a.features[i], b.features[i])
	}
	return list
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	switch {
	case aa == 0 && bb == 0:
		return 1
	case aa == 0 || bb == 0 || math.IsNaN(ab):
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}
