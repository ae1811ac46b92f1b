package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// install writes a built graph and its manifest into a model folder: the model first, the manifest last, each whole or
// not at all. Records that an older manifest holds for the same bytes are kept.
func install(dir string, b *onnx.Builder, manifest Manifest) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	sum := sha256.New()
	path := filepath.Join(dir, ModelFile)
	err := writeAtomic(path, func(w io.Writer) error { return b.Write(io.MultiWriter(w, sum)) })
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	manifest.Format = manifestFormat
	manifest.Model = FileHash{File: ModelFile, SHA256: hex.EncodeToString(sum.Sum(nil))}
	if old, err := readManifest(dir); err == nil && old.Model == manifest.Model && old.Spec == manifest.Spec {
		manifest.Reference, manifest.Cosines = old.Reference, old.Cosines
	}
	if err := manifest.check(); err != nil {
		return err
	}
	return manifest.write(dir)
}

// builtSpec is the Spec of every graph that package graph builds.
func builtSpec(name string, dim int, preset imgvec.Preset) imgvec.Spec {
	return imgvec.Spec{
		Model: name, Input: graph.Input, Layout: imgvec.NCHW, DType: imgvec.Float32,
		Feature: graph.Features, Dim: dim, Preset: preset,
	}
}
