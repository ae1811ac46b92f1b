package model

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

// Quantisation says of what and how a quantised model was made.
type Quantisation struct {
	Precision  imgvec.Precision `json:"precision"` // int8
	From       string           `json:"from"`      // name of the float model
	FromSHA256 string           `json:"from_sha256"`
	By         string           `json:"by"`                     // program and version
	Method     string           `json:"method"`                 // that the activations' ranges were set by
	Calibrated int              `json:"calibrated"`             // images that they were measured on
	HeldOut    int              `json:"held_out"`               // other images, that the cosines are over
	Layers     int              `json:"layers"`                 // in int8
	Float      []string         `json:"float_layers,omitempty"` // that stayed in float
	Cosines    []FloatCosine    `json:"cosines"`
}

// FloatCosine is how near a quantised model's features are to the float model's on one execution provider.
type FloatCosine struct {
	Provider string   `json:"provider"`
	Version  string   `json:"version"`
	Mean     float64  `json:"mean"`
	P1       float64  `json:"p1"` // one in a hundred is below
	Min      float64  `json:"min"`
	Top1     *float64 `json:"top1_agreement,omitempty"` // share of images with the same highest score; absent without scores
}

// QuantisedOptions say under which name a quantised model is installed.
type QuantisedOptions struct {
	Name  string
	Home  string // empty: home.Dir()
	Force bool   // replace an installed model of this name, whatever it was made of
}

// CheckQuantised tells whether a model quantised from m may be installed under the name, before the work begins: the name
// must be possible, and not m's own. A model of the same name that was quantised from the same file may be replaced, any
// other with Force only.
func (m *Model) CheckQuantised(opts QuantisedOptions) error {
	if err := m.checkQuantised(opts); err != nil {
		return fmt.Errorf("imgvec: quantise model %q: %w", m.Name, err)
	}
	return nil
}

func (m *Model) checkQuantised(opts QuantisedOptions) error {
	if err := checkName(opts.Name); err != nil {
		return err
	}
	dir := opts.dir()
	if same, err := filepath.Abs(m.Dir); err == nil && same == dir || opts.Name == m.Name || isKnown(opts.Name) {
		return fmt.Errorf("the result needs a name of its own, not that of a float model (%s): for example %s-int8", opts.Name, opts.Name)
	}
	old, err := readManifest(dir)
	switch {
	case opts.Force:
	case errors.Is(err, errPresetOnly):
		return fmt.Errorf("%s holds a model that somebody put there; give another name, or remove that folder", dir)
	case err != nil:
		return nil //nolint:nilerr // no manifest, or one that nobody could use: nothing is lost
	case old.Quantised == nil || old.Quantised.FromSHA256 != m.SHA256:
		return fmt.Errorf("model %q is installed already, made of something else (%s); give another name, replace it (--force), or remove it: imgvec model rm %s",
			opts.Name, origin(old), opts.Name)
	}
	return nil
}

func (o QuantisedOptions) dir() string {
	root := o.Home
	if root == "" {
		root = home.Dir()
	}
	return filepath.Join(root, "models", o.Name)
}

// InstallQuantised installs what write gives as a model of its own, with m's preset, licence and origin. The folder gets the
// model first and the manifest last, each whole or not at all.
func (m *Model) InstallQuantised(opts QuantisedOptions, q Quantisation, write func(io.Writer) error) (*Model, error) {
	if err := m.checkQuantised(opts); err != nil {
		return nil, fmt.Errorf("imgvec: install quantised model %q: %w", opts.Name, err)
	}
	dir := opts.dir()
	if err := m.installQuantised(dir, opts.Name, q, write); err != nil {
		return nil, fmt.Errorf("imgvec: install quantised model %q: %w", opts.Name, err)
	}
	return openFolder(dir, OpenOptions{Home: opts.Home})
}

func (m *Model) installQuantised(dir, name string, q Quantisation, write func(io.Writer) error) error {
	release, err := hold(dir)
	if err != nil {
		return err
	}
	defer release()
	sum := sha256.New()
	if err := writeAtomic(filepath.Join(dir, ModelFile), func(w io.Writer) error { return write(io.MultiWriter(w, sum)) }); err != nil {
		return err
	}
	q.Precision, q.From, q.FromSHA256 = imgvec.INT8, m.Name, m.SHA256
	manifest := Manifest{
		Name: name, Arch: m.Manifest.Arch, License: m.License, Random: m.Random, Weights: m.Manifest.Weights, Logits: m.Manifest.Logits,
		Source: fmt.Sprintf("%s; quantised to int8 from %s by %s with %d images (%s)", m.Source, m.Name, q.By, q.Calibrated, q.Method),
		Spec:   m.Spec, Quantised: &q,
	}
	if manifest.Weights.SHA256 == "" {
		manifest.Weights = FileHash{File: filepath.Base(m.Path), SHA256: m.SHA256}
	}
	manifest.Spec.Model, manifest.Spec.DType = name, imgvec.Float32
	return finish(dir, hex.EncodeToString(sum.Sum(nil)), manifest)
}
