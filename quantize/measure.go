package quantize

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/onnx"
)

// measure compares the result with the float model on the held-out images, on the providers of this machine, each as
// extract opens it.
func (q *quantisation) measure(ctx context.Context, graph *onnx.Edit) (err error) {
	images := &q.sets[measuring]
	if q.want[measuring], err = q.vectors(ctx, q.float, images); err != nil {
		return err
	}
	path, err := q.write(graph)
	if err != nil {
		return err
	}
	for _, provider := range []string{cpu.CPU, cpu.OpenVINO} {
		m, err := q.measureOn(ctx, path, provider)
		if errors.Is(err, imgvec.ErrNoDevice) {
			q.log("not measured on %s, which is not there", provider)
			continue
		}
		if err != nil {
			return err
		}
		q.report.Measured = append(q.report.Measured, m)
	}
	return nil
}

func (q *quantisation) measureOn(ctx context.Context, path, provider string) (Measurement, error) {
	spec := q.model.Spec
	spec.DType = imgvec.Float32
	got, info, err := q.through(ctx, path, spec, provider)
	if err != nil {
		return Measurement{}, err
	}
	want := q.want[measuring]
	m := Measurement{Provider: provider, Version: info.Versions["onnxruntime"], Top1: -1}
	if provider == cpu.OpenVINO {
		m.Version = info.Versions["openvino"]
	}
	all := cosines(want, vectors{features: got})
	slices.Sort(all)
	m.Mean, m.P1, m.Min = mean(all), all[int(math.Floor(float64(len(all))/100))], all[0]
	if want.best == nil {
		return m, nil
	}
	spec.Feature, spec.Dim = q.logits, q.classes
	scores, _, err := q.through(ctx, path, spec, provider)
	if err != nil {
		return Measurement{}, err
	}
	same := 0
	for i, row := range scores {
		if highest(row) == want.best[i] {
			same++
		}
	}
	m.Top1 = float64(same) / float64(len(scores))
	return m, nil
}

// through runs the held-out images through a provider.
func (q *quantisation) through(ctx context.Context, path string, spec imgvec.Spec, provider string) (rows [][]float32, info cpu.Info, err error) {
	return q.throughWith(ctx, path, spec, cpu.Options{Precision: imgvec.INT8, Provider: provider, LibraryDir: q.opts.LibraryDir})
}

func (q *quantisation) throughWith(ctx context.Context, path string, spec imgvec.Spec, opts cpu.Options) (rows [][]float32, info cpu.Info, err error) {
	backend, err := cpu.Open(ctx, path, spec, opts)
	if err != nil {
		return nil, info, err
	}
	defer func() { err = errors.Join(err, backend.Close()) }()
	images := &q.sets[measuring]
	size := spec.ImageLen()
	step := batchAll
	if spec.MaxBatch > 0 {
		step = min(step, spec.MaxBatch)
	}
	for from := 0; from < images.len(); from += step {
		n := min(step, images.len()-from)
		features := make([]float32, n*spec.Dim)
		batch, err := imgvec.NewBatch(spec, images.pixels[from*size:(from+n)*size], features)
		if err != nil {
			return nil, info, err
		}
		batch.SetLen(n)
		if err := backend.Run(ctx, batch); err != nil {
			return nil, info, err
		}
		for i := range n {
			rows = append(rows, features[i*spec.Dim:(i+1)*spec.Dim])
		}
	}
	return rows, backend.Info(), nil
}
