package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

// sameFeatures is the cosine from which on two feature vectors of one picture count as the same.
const sameFeatures = 0.99999

// VerifyOptions say how Verify works; the zero value is the default.
type VerifyOptions struct {
	Preprocess preprocess.Options
	LibraryDir string // where ONNX Runtime lies; "": the usual places
	CacheDir   string // as Options has it
	// DryRun measures without writing anything into the model's folder.
	DryRun bool
	// Log gets what a person should know at once, such as that an engine is built for a GPU, which takes minutes. May be nil.
	Log func(string)
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	Model    string
	Pictures int            // that the cosines are over
	Cosines  []model.Cosine // one for each provider and precision that this machine has
	Skipped  []VerifySkip   // those that it lacks
	// Reference compares with what the model's folder says of its reference picture; "" for its fields where the folder
	// says nothing, and then it has been written.
	Reference VerifyReference
}

// VerifySkip is a provider and precision that could not be measured; no precision: in none.
type VerifySkip struct {
	Provider  string
	Precision imgvec.Precision
	Reason    string
}

// VerifyReference is the comparison with the reference vector of the model's folder.
type VerifyReference struct {
	Recorded bool    // the folder had one
	CropSame bool    // the picture's pixels at model size are the ones recorded
	Cosine   float64 // of the feature vectors
}

// OK tells whether the reference picture, where the folder has one, came out as it should.
func (r VerifyReport) OK() bool {
	return !r.Reference.Recorded || r.Reference.CropSame && r.Reference.Cosine >= sameFeatures
}

// candidate is a session that Verify measures. What a machine lacks is skipped with the reason.
type candidate struct {
	provider  string
	precision imgvec.Precision
}

// reference is the session that the others are compared with. ONNX Runtime's own provider computes in fp32 where the
// choice is left to it, and in int8 where the model is quantised, which it can't be kept from.
var reference = candidate{cpu.CPU, imgvec.PrecisionAuto}

// candidates are the sessions to compare with a reference in that precision.
func candidates(reference imgvec.Precision) []candidate {
	if reference == imgvec.INT8 {
		return []candidate{{cpu.OpenVINO, imgvec.INT8}} // it has no other precision
	}
	return []candidate{{cpu.OpenVINO, imgvec.FP32}, {cpu.OpenVINO, imgvec.BF16}}
}

// Verify measures how well each execution provider of this machine keeps the model's features at each precision, on the
// CPU and on the first GPU: the cosine to fp32 on ONNX Runtime's own CPU provider, over model.ReferencePictures; to int8
// on it where the model is quantised. The cosines are recorded in the model's folder, where Open finds them when it
// chooses a precision. It also computes the folder's reference picture anew and compares its pixels and its features; a
// difference is no error but stands in the report.
func Verify(ctx context.Context, m *model.Model, opts VerifyOptions) (VerifyReport, error) {
	return verify(ctx, m, opts, realGPUs())
}

func verify(ctx context.Context, m *model.Model, opts VerifyOptions, g gpus) (VerifyReport, error) {
	v := &verification{m: m, opts: opts, gpus: g}
	v.report.Model = m.Name
	err := v.run(ctx)
	if err != nil {
		err = fmt.Errorf("imgvec: verify model %q: %w", m.Name, err)
	}
	return v.report, err
}

type verification struct {
	m      *model.Model
	opts   VerifyOptions
	gpus   gpus
	report VerifyReport

	pictures  [][]byte
	crops     []uint8   // [pictures, height, width, 3]
	reference []float32 // [pictures, dim], of the reference session
	version   string    // of the latter
}

func (v *verification) run(ctx context.Context) error {
	v.pictures = model.ReferencePictures()
	v.report.Pictures = len(v.pictures)
	if err := v.prepare(ctx); err != nil {
		return err
	}
	precision, err := v.measure(ctx, reference)
	if err != nil {
		return err
	}
	for _, c := range candidates(precision) {
		if _, err := v.measure(ctx, c); err != nil {
			return err
		}
	}
	if err := v.measureGPU(ctx, precision); err != nil {
		return err
	}
	return v.compareReference()
}

// prepare turns the pictures into pixels once, for all sessions.
func (v *verification) prepare(ctx context.Context) error {
	pre, err := preprocess.New(v.m.Spec.Preset, v.opts.Preprocess)
	if err != nil {
		return err
	}
	w := pre.NewWorker()
	defer w.Close()
	size := v.m.Spec.ImageLen()
	v.crops = make([]uint8, size*len(v.pictures))
	for i, picture := range v.pictures {
		if _, err := w.Into(ctx, v.crops[i*size:(i+1)*size], picture); err != nil {
			return fmt.Errorf("reference picture %d: %w", i, err)
		}
	}
	return nil
}

// measure runs the pictures through one session on the CPU and tells its precision. The first one is the reference, and
// must work.
func (v *verification) measure(ctx context.Context, c candidate) (imgvec.Precision, error) {
	backend, err := cpu.Open(ctx, v.m.Path, v.m.Spec, cpu.Options{
		Provider: c.provider, Precision: c.precision, Streams: 1, LibraryDir: v.opts.LibraryDir,
	})
	if err != nil {
		lacking := errors.Is(err, imgvec.ErrPrecision) || errors.Is(err, imgvec.ErrNoDevice) || errors.Is(err, imgvec.ErrNoRuntime)
		if v.reference == nil || !lacking {
			return "", err
		}
		v.report.Skipped = append(v.report.Skipped, VerifySkip{c.provider, c.precision, err.Error()})
		return "", nil
	}
	features, err := v.features(ctx, backend, cpuBatch)
	if err != nil {
		return "", err
	}
	info := backend.Info()
	return info.Precision, v.add(features, model.Cosine{Provider: c.provider, Version: version(c.provider, info), Precision: info.Precision})
}

// add compares the features with the reference's, and records what came of it.
func (v *verification) add(features []float32, found model.Cosine) error {
	found.Pictures, found.Min = len(v.pictures), 1
	if v.reference == nil {
		v.reference, v.version = features, found.Version
	}
	for i := range v.pictures {
		cos := cosine(v.row(v.reference, i), v.row(features, i))
		found.Min = min(found.Min, cos)
		found.Mean += cos / float64(len(v.pictures))
	}
	v.report.Cosines = append(v.report.Cosines, found)
	if v.opts.DryRun {
		return nil
	}
	return v.m.Record(found)
}

// features are those of all pictures, step of them at a time. It closes the backend.
func (v *verification) features(ctx context.Context, backend imgvec.Backend, step int) (features []float32, err error) {
	defer func() { err = errors.Join(err, backend.Close()) }()
	if most := v.m.Spec.MaxBatch; most > 0 {
		step = min(step, most)
	}
	size, dim := v.m.Spec.ImageLen(), v.m.Spec.Dim
	features = make([]float32, len(v.pictures)*dim)
	for from := 0; from < len(v.pictures); from += step {
		to := min(from+step, len(v.pictures))
		batch, err := imgvec.NewBatch(v.m.Spec, v.crops[from*size:to*size], features[from*dim:to*dim])
		if err != nil {
			return nil, err
		}
		batch.SetLen(to - from)
		if err := backend.Run(ctx, batch); err != nil {
			return nil, err
		}
	}
	return features, nil
}

func (v *verification) row(features []float32, i int) []float32 {
	return features[i*v.m.Spec.Dim : (i+1)*v.m.Spec.Dim]
}
