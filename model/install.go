package model

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// install writes a built graph and its manifest into a model folder: the model first, the manifest last, each whole or
// not at all. Records that an older manifest holds for the same bytes are kept. A model of other weights is in the way
// unless it is to be replaced.
func install(dir string, b *onnx.Builder, manifest Manifest, replace bool) error {
	release, err := hold(dir)
	if err != nil {
		return err
	}
	defer release()
	if !replace {
		if err := inTheWay(dir, manifest); err != nil {
			return err
		}
	}
	sum := sha256.New()
	path := filepath.Join(dir, ModelFile)
	err = writeAtomic(path, func(w io.Writer) error { return b.Write(io.MultiWriter(w, sum)) })
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return finish(dir, hex.EncodeToString(sum.Sum(nil)), manifest)
}

// finish writes the manifest of the model file that was just written; the caller holds the folder.
func finish(dir, sum string, manifest Manifest) error {
	manifest.Format = manifestFormat
	manifest.Model = FileHash{File: ModelFile, SHA256: sum}
	if old, err := readManifest(dir); err == nil && old.Model == manifest.Model && old.Spec == manifest.Spec {
		manifest.Reference, manifest.Cosines = old.Reference, old.Cosines
	}
	if err := manifest.check(); err != nil {
		return err
	}
	return manifest.write(dir)
}

// inTheWay is an error where the folder has a model that was not made of the same weights.
func inTheWay(dir string, manifest Manifest) error {
	old, err := readManifest(dir)
	switch {
	case errors.Is(err, errPresetOnly):
		return fmt.Errorf("%s holds a model that somebody put there; give another name (--name), or remove that folder", dir)
	case err != nil:
		return nil //nolint:nilerr // no manifest, or one that nobody could use: nothing is lost
	case sameWeights(old, manifest):
		return nil
	}
	return fmt.Errorf("model %q is installed already, made of other weights (%s); give another name (--name), replace it (--force), or remove %s",
		manifest.Name, origin(old), dir)
}

// sameWeights tells whether two models were made of the same weights. Older manifests of the hub's files have the first
// digits of the hash only.
func sameWeights(old, manifest Manifest) bool {
	if old.Random || manifest.Random {
		return old.Random && manifest.Random && old.Arch == manifest.Arch && old.Source == manifest.Source
	}
	return len(old.Weights.SHA256) >= 8 && strings.HasPrefix(manifest.Weights.SHA256, old.Weights.SHA256)
}

func origin(m Manifest) string {
	if m.Weights.File == "" {
		return m.Source
	}
	return fmt.Sprintf("%s, SHA-256 %.12s…", m.Weights.File, m.Weights.SHA256)
}

// builtSpec is the Spec of every graph that package graph builds.
func builtSpec(name string, dim int, preset imgvec.Preset) imgvec.Spec {
	return imgvec.Spec{
		Model: name, Input: graph.Input, Layout: imgvec.NCHW, DType: imgvec.Float32,
		Feature: graph.Features, Dim: dim, Preset: preset,
	}
}
