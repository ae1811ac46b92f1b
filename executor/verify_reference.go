package executor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/model"
)

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
