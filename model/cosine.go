package model

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/imgvec/imgvec"
)

// Cosine is how well an execution provider keeps the model's features at a precision: the cosine to fp32 on ONNX
// Runtime's own CPU provider, over a set of pictures.
type Cosine struct {
	Provider  string           `json:"provider"`
	Version   string           `json:"version"` // of the provider
	Precision imgvec.Precision `json:"precision"`
	Min       float64          `json:"min"`
	Mean      float64          `json:"mean"`
	Pictures  int              `json:"pictures"`
}

// Record writes a measured cosine into the model's manifest, in place of an older one of the same provider, version and
// precision. For an ONNX file without a manifest it is kept in the home folder under the file's SHA-256. It holds
// the folder and reads the manifest anew first, so that two processes lose nothing. Not safe for concurrent use
// with the model's other methods.
func (m *Model) Record(c Cosine) error {
	if math.IsNaN(c.Min) || math.IsNaN(c.Mean) || c.Provider == "" || c.Pictures <= 0 {
		return fmt.Errorf("imgvec: record cosine of model %q: %+v is no measurement", m.Name, c)
	}
	return m.update(func(to *Manifest) {
		to.Cosines = slices.DeleteFunc(to.Cosines, func(old Cosine) bool {
			return old.Provider == c.Provider && old.Version == c.Version && old.Precision == c.Precision
		})
		to.Cosines = append(to.Cosines, c)
	})
}

// RecordReference writes the reference picture's features into the model's manifest, as Record does a cosine.
func (m *Model) RecordReference(r Reference) error {
	if len(r.Features) != m.Spec.Dim {
		return fmt.Errorf("imgvec: record reference of model %q: %d features, expected %d", m.Name, len(r.Features), m.Spec.Dim)
	}
	return m.update(func(to *Manifest) { to.Reference = &r })
}

// Cosine is the smallest cosine that was recorded for a provider at a precision, the latest record where there are
// several versions; ok is false where nothing was recorded.
func (m *Model) Cosine(provider string, p imgvec.Precision) (least float64, ok bool) {
	for _, c := range slices.Backward(m.Manifest.Cosines) {
		if c.Provider == provider && c.Precision == p {
			return c.Min, true
		}
	}
	return 0, false
}

// CosineAt is Cosine for one version of the provider.
func (m *Model) CosineAt(provider, version string, p imgvec.Precision) (least float64, ok bool) {
	for _, c := range slices.Backward(m.Manifest.Cosines) {
		if c.Provider == provider && c.Version == version && c.Precision == p {
			return c.Min, true
		}
	}
	return 0, false
}

func (m *Model) update(change func(*Manifest)) error {
	dir := m.records
	release, err := hold(dir)
	if err != nil {
		return fmt.Errorf("imgvec: record in model %q: %w", m.Name, err)
	}
	defer release()
	fresh, err := readManifest(dir)
	if err != nil || fresh.Model.SHA256 != m.SHA256 {
		fresh = m.Manifest
		fresh.Model = FileHash{File: filepath.Base(m.Path), SHA256: m.SHA256}
	}
	change(&fresh)
	if err := fresh.write(dir); err != nil {
		return fmt.Errorf("imgvec: record in model %q: %w", m.Name, err)
	}
	m.Manifest = fresh
	return nil
}
