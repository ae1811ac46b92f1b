package executor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"

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
	// DryRun measures without writing anything into the model's folder.
	DryRun bool
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

// VerifySkip is a provider and precision that could not be measured.
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

// Verify measures how well each execution provider of this machine keeps the model's features at each precision: the
// cosine to fp32 on ONNX Runtime's own CPU provider, over model.ReferencePictures; to int8 on it where the model is
// quantised. The cosines are recorded in the model's folder, where Open finds them when it chooses a precision. It also computes the folder's reference picture
// anew and compares its pixels and its features; a difference is no error but stands in the report.
func Verify(ctx context.Context, m *model.Model, opts VerifyOptions) (VerifyReport, error) {
	v := &verification{m: m, opts: opts}
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

// measure runs the pictures through one session and tells its precision. The first one is the reference, and must work.
func (v *verification) measure(ctx context.Context, c candidate) (imgvec.Precision, error) {
	features, info, err := v.features(ctx, c)
	if err != nil {
		lacking := errors.Is(err, imgvec.ErrPrecision) || errors.Is(err, imgvec.ErrNoDevice) || errors.Is(err, imgvec.ErrNoRuntime)
		if v.reference == nil || !lacking {
			return "", err
		}
		v.report.Skipped = append(v.report.Skipped, VerifySkip{c.provider, c.precision, err.Error()})
		return "", nil
	}
	found := model.Cosine{Provider: c.provider, Version: version(c.provider, info), Precision: info.Precision, Pictures: len(v.pictures), Min: 1}
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
		return info.Precision, nil
	}
	return info.Precision, v.m.Record(found)
}

// features are those of all pictures in one kind of session.
func (v *verification) features(ctx context.Context, c candidate) (features []float32, info cpu.Info, err error) {
	backend, err := cpu.Open(ctx, v.m.Path, v.m.Spec, cpu.Options{
		Provider: c.provider, Precision: c.precision, Streams: 1, LibraryDir: v.opts.LibraryDir,
	})
	if err != nil {
		return nil, info, err
	}
	defer func() { err = errors.Join(err, backend.Close()) }()
	step := cpuBatch
	if most := v.m.Spec.MaxBatch; most > 0 {
		step = min(step, most)
	}
	size, dim := v.m.Spec.ImageLen(), v.m.Spec.Dim
	features = make([]float32, len(v.pictures)*dim)
	for from := 0; from < len(v.pictures); from += step {
		to := min(from+step, len(v.pictures))
		batch, err := imgvec.NewBatch(v.m.Spec, v.crops[from*size:to*size], features[from*dim:to*dim])
		if err != nil {
			return nil, info, err
		}
		batch.SetLen(to - from)
		if err := backend.Run(ctx, batch); err != nil {
			return nil, info, err
		}
	}
	return features, backend.Info(), nil
}

func (v *verification) row(features []float32, i int) []float32 {
	return features[i*v.m.Spec.Dim : (i+1)*v.m.Spec.Dim]
}

// compareReference checks the folder's reference picture, or writes it where there is none.
func (v *verification) compareReference() error {
	if r := v.m.Manifest.Reference; r != nil {
		if r.Image < 0 || r.Image >= len(v.pictures) || len(r.Features) != v.m.Spec.Dim {
			return fmt.Errorf("%w: the manifest's reference (picture %d, %d features) fits neither this program nor the model",
				imgvec.ErrModel, r.Image, len(r.Features))
		}
		v.report.Reference = VerifyReference{
			Recorded: true,
			CropSame: r.CropSHA256 == v.cropHash(r.Image),
			Cosine:   cosine(r.Features, v.row(v.reference, r.Image)),
		}
		return nil
	}
	v.report.Reference = VerifyReference{CropSame: true, Cosine: 1}
	if v.opts.DryRun {
		return nil
	}
	return v.m.RecordReference(model.Reference{
		Image: 0, ImageSHA256: hash(v.pictures[0]), CropSHA256: v.cropHash(0),
		Features: v.row(v.reference, 0), Provider: cpu.CPU, Version: v.version,
	})
}

func (v *verification) cropHash(i int) string {
	size := v.m.Spec.ImageLen()
	return hash(v.crops[i*size : (i+1)*size])
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// version is that of the library that the provider belongs to.
func version(provider string, info cpu.Info) string {
	if provider == cpu.OpenVINO {
		return info.Versions["openvino"]
	}
	return info.Versions["onnxruntime"]
}

// cosine of the angle between two vectors. Two vectors of zeros are alike; a zero and another one are not.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	switch {
	case aa == 0 && bb == 0:
		return 1
	case aa == 0 || bb == 0:
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
