package model

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/onnx"
)

// openFile opens an ONNX file by its path. Where the folder's manifest speaks of this file, it counts.
func openFile(path string, opts OpenOptions) (*Model, error) {
	manifest, err := readManifest(filepath.Dir(path))
	if err == nil && manifest.Model.File == filepath.Base(path) {
		return openFolder(filepath.Dir(path), opts)
	}
	return openForeign(path, opts, nil)
}

// openForeign inspects an ONNX file: its image input, its features, its preset. own is a manifest whose preset is to
// be used, or nil.
func openForeign(path string, opts OpenOptions, own *Manifest) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	parsed, err := onnx.Parse(f, info.Size())
	if err != nil {
		return nil, err
	}
	m, err := inspect(parsed, path, opts, own)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// inspect makes a Model of a parsed file, and cuts it where a session could not hand out the features as they are.
func inspect(parsed *onnx.Model, path string, opts OpenOptions, own *Manifest) (*Model, error) {
	index := parsed.Graph.Index()
	input, err := index.ImageInput()
	if err != nil {
		return nil, err
	}
	feature, err := index.Feature(opts.Output)
	if err != nil {
		return nil, err
	}
	m := &Model{Name: nameOf(path), Dir: filepath.Dir(path), Path: path, Source: path, License: "not stated"}
	m.Spec = imgvec.Spec{Model: m.Name, Input: input.Name, Layout: imgvec.NCHW, DType: imgvec.DType(input.Elem.String()), Feature: feature.Value, Dim: feature.Dim}
	if input.NHWC {
		m.Spec.Layout = imgvec.NHWC
	}
	m.note(feature.Note)
	if err := m.takeBatch(input); err != nil {
		return nil, err
	}
	if err := m.takePreset(own, input); err != nil {
		return nil, err
	}
	if m.SHA256, err = hashModel(parsed, path); err != nil {
		return nil, err
	}
	m.records = filepath.Join(opts.models(), ".cache", m.SHA256[:32], "records")
	if opts.Output != "" || !feature.Plain() {
		m.records += "-" + slug(feature.Value+"#"+string(feature.Pool))
	}
	if !feature.Plain() || len(input.Others) > 0 {
		if err := m.cut(parsed, feature, opts); err != nil {
			return nil, err
		}
	}
	return m.withRecords(own), checkSpec(m.Spec)
}

// withRecords fills the manifest, with what was recorded about this file before.
func (m *Model) withRecords(own *Manifest) *Model {
	m.Manifest = Manifest{
		Format: manifestFormat, Name: m.Name, Source: m.Source, License: m.License, Random: m.Random,
		Model: FileHash{File: filepath.Base(m.Path), SHA256: m.SHA256}, Spec: m.Spec,
	}
	if own != nil {
		m.Name, m.Source, m.License, m.Random = own.Name, own.Source, own.License, own.Random
		m.Manifest.Name, m.Manifest.Arch, m.Manifest.Source, m.Manifest.License, m.Manifest.Random = own.Name, own.Arch, own.Source, own.License, own.Random
		if m.Random {
			m.note(randomNote)
		}
	}
	if old, err := readManifest(m.records); err == nil && old.Model.SHA256 == m.SHA256 && old.Spec == m.Spec {
		m.Manifest.Reference, m.Manifest.Cosines = old.Reference, old.Cosines
	}
	return m
}

func (m *Model) note(text string) {
	if text == "" {
		return
	}
	if m.Note != "" {
		m.Note += "; "
	}
	m.Note += text
}

func nameOf(path string) string {
	base := filepath.Base(path)
	if base == ModelFile { // the folder's name says more
		if abs, err := filepath.Abs(path); err == nil {
			dir := filepath.Dir(abs)
			if filepath.Base(dir) == "onnx" {
				dir = filepath.Dir(dir)
			}
			return filepath.Base(dir)
		}
	}
	return base
}

// takeBatch takes over what the input says of the batch.
func (m *Model) takeBatch(in onnx.ImageInput) error {
	switch {
	case in.Batch <= 0:
		return nil
	case in.Batch == 1:
		m.Spec.MaxBatch = 1
		m.note("the model takes one picture at a time, which is slow; export it with a free batch axis")
		return nil
	}
	return fmt.Errorf("its input takes exactly %d pictures at a time, which is not supported; export it with a free batch axis", in.Batch)
}

// takePreset finds the preset beside the model and fits it to the input's size.
func (m *Model) takePreset(own *Manifest, in onnx.ImageInput) error {
	found, err := m.findPreset(own)
	if err != nil {
		return err
	}
	fixed := imgvec.Size{Height: int(in.Height), Width: int(in.Width)}
	if found.source == "" {
		return m.assumePreset(fixed)
	}
	size := found.preset.InputSize
	if fixed.Height != 0 && fixed.Height != size.Height || fixed.Width != 0 && fixed.Width != size.Width {
		return fmt.Errorf("%s makes pictures of %dx%d, but the model's input takes %dx%d", found.source, size.Height, size.Width, fixed.Height, fixed.Width)
	}
	m.Spec.Preset = found.preset
	m.note("preset from " + found.source)
	return nil
}

func (m *Model) findPreset(own *Manifest) (foundPreset, error) {
	if own != nil {
		return foundPreset{preset: own.Spec.Preset, source: ManifestFile}, nil
	}
	return presetBeside(m.Path)
}

// assumePreset takes the usual ImageNet preset, scaled to the input's size, and says so.
func (m *Model) assumePreset(fixed imgvec.Size) error {
	side := 224
	if fixed.Height != 0 {
		side = fixed.Height
	}
	if fixed.Width != 0 && fixed.Width != side || fixed.Height == 0 && fixed.Width != 0 {
		return fmt.Errorf("its input is %d rows by %d columns and no preset lies beside it; describe it in an %s", fixed.Height, fixed.Width, ManifestFile)
	}
	m.Spec.Preset = imageNet(side*256/224, side, imgvec.Bilinear)
	m.note(fmt.Sprintf("ASSUMED preset, because none lies beside the model: resize %d bilinear, crop %d, ImageNet mean and std; an %s beside it can say otherwise",
		m.Spec.Preset.ResizeSize, side, ManifestFile))
	return nil
}

// hashModel is the SHA-256 of the model file; with weights in other files, that of all their hashes.
func hashModel(parsed *onnx.Model, path string) (string, error) {
	sum, err := home.HashFile(path)
	if err != nil {
		return "", err
	}
	names, err := parsed.ExternalFiles()
	if err != nil || len(names) == 0 {
		return sum, err
	}
	all := []string{sum}
	for _, name := range names {
		if !filepath.IsLocal(name) {
			return "", fmt.Errorf("it keeps weights in %q, outside of its folder, which is refused", name)
		}
		one, err := home.HashFile(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			return "", fmt.Errorf("its weights in another file: %w", err)
		}
		all = append(all, name+" "+one)
	}
	return hashText(strings.Join(all, "\n")), nil
}

// cut makes the derived model file in the home folder, unless an earlier run has made it.
func (m *Model) cut(parsed *onnx.Model, f onnx.Feature, opts OpenOptions) error {
	dir := filepath.Join(opts.models(), ".cache", m.SHA256[:32])
	path := filepath.Join(dir, "cut-"+slug(f.Value+"#"+string(f.Pool))+".onnx")
	source := m.Path
	m.Path, m.Spec.Feature = path, onnx.CutFeature
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	release, err := hold(dir)
	if err != nil {
		return fmt.Errorf("keep the part that computes the features: %w", err)
	}
	defer release()
	err = writeAtomic(path, func(w io.Writer) error {
		return parsed.Cut(w, f, m.Spec.Input, func(name string) (io.ReadSeekCloser, error) {
			if !filepath.IsLocal(name) {
				return nil, fmt.Errorf("weights in %q, outside of the model's folder", name)
			}
			return os.Open(filepath.Join(filepath.Dir(source), name))
		})
	})
	if err != nil {
		return fmt.Errorf("cut at the features: %w", err)
	}
	return nil
}

// slug makes a file name of a value's name: its readable part and a hash of the whole.
func slug(value string) string {
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, value)
	return readable[:min(len(readable), 40)] + "-" + hashText(value)[:12]
}
