package model

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

// Model is a model on this machine, ready for a backend. Its fields are read-only for callers; methods that record a
// measurement change Manifest.
type Model struct {
	Name    string // registry name, or the folder's or file's name
	Dir     string // the folder that the model came from
	Path    string // the ONNX file for the session; for a cut model one in the home folder
	SHA256  string // of the model's own file, lower-case hex
	Source  string // where it comes from, for people
	License string
	Random  bool   // random weights: the features mean nothing
	Note    string // what a user should know: a preset that was assumed, a cut, random weights; may be empty
	Spec    imgvec.Spec

	Manifest Manifest // of the folder; for a foreign model what was found out about it
	records  string   // folder of the manifest that Record writes
}

// OpenOptions changes how a model is opened; the zero value is the default.
type OpenOptions struct {
	// Output names the value of the graph that holds the features, an output or an inner one. Empty: found.
	Output string
	// Home is the folder of installed models' parent; empty: home.Dir().
	Home string
}

func (o OpenOptions) models() string {
	if o.Home != "" {
		return filepath.Join(o.Home, "models")
	}
	return home.Models()
}

// Open opens an installed model of the registry by name ("" is [Default]), a model folder, or an ONNX file. Errors wrap
// imgvec.ErrModel and say what to do.
func Open(nameOrPath string, opts OpenOptions) (*Model, error) {
	if nameOrPath == "" {
		nameOrPath = Default
	}
	m, err := open(nameOrPath, opts)
	if err != nil {
		return nil, fmt.Errorf("imgvec: open model %q: %w: %w", nameOrPath, imgvec.ErrModel, err)
	}
	return m, nil
}

func open(name string, opts OpenOptions) (*Model, error) {
	if isName(name) {
		dir := filepath.Join(opts.models(), name)
		if _, err := os.Stat(filepath.Join(dir, ManifestFile)); err == nil {
			return openFolder(dir, opts)
		}
		if _, known := Find(name); known {
			return nil, notInstalled(name, dir)
		}
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isName(name):
		return nil, unknownName(name, opts)
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("no such file or folder")
	case err != nil:
		return nil, err
	case info.IsDir():
		return openFolder(name, opts)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is neither a file nor a folder")
	case isCheckpoint(name):
		return nil, fmt.Errorf("it is a checkpoint, not a model; convert it once: imgvec model import %s --arch ARCH", name)
	}
	return openFile(name, opts)
}

// isName tells a registry name from a path.
func isName(s string) bool {
	return !strings.ContainsAny(s, `/\`) && s != "." && s != ".." && !strings.HasSuffix(s, ".onnx")
}

func isCheckpoint(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".pth", ".pt", ".safetensors", ".bin", ".ckpt":
		return true
	}
	return false
}

// openFolder opens a folder with a manifest of ours, or a foreign one with a single ONNX file.
func openFolder(dir string, opts OpenOptions) (*Model, error) {
	manifest, err := readManifest(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errPresetOnly) {
		path, err := onlyModel(dir)
		if err != nil {
			return nil, err
		}
		return openFile(path, opts)
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, manifest.Model.File)
	if opts.Output != "" && opts.Output != manifest.Spec.Feature {
		return openForeign(path, opts, &manifest)
	}
	sum, err := home.HashFile(path)
	if err != nil {
		return nil, err
	}
	if manifest.Model.SHA256 != "" && sum != manifest.Model.SHA256 {
		return nil, fmt.Errorf("%s is damaged or was changed: its SHA-256 is %.12s…, %s says %.12s…; %s",
			path, sum, ManifestFile, manifest.Model.SHA256, manifest.again())
	}
	if err := checkFiles(dir, manifest); err != nil {
		return nil, err
	}
	m := fromManifest(manifest)
	m.Dir, m.Path, m.SHA256, m.records = dir, path, sum, dir
	return m, nil
}

// checkFiles compares the files beside the model with their hashes.
func checkFiles(dir string, manifest Manifest) error {
	for _, f := range manifest.Files {
		sum, err := home.HashFile(filepath.Join(dir, f.File))
		if err != nil {
			return err
		}
		if sum != f.SHA256 {
			return fmt.Errorf("%s is damaged or was changed: its SHA-256 is %.12s…, %s says %.12s…; %s",
				filepath.Join(dir, f.File), sum, ManifestFile, f.SHA256, manifest.again())
		}
	}
	return nil
}

func fromManifest(manifest Manifest) *Model {
	m := &Model{
		Name: manifest.Name, Source: manifest.Source, License: manifest.License, Random: manifest.Random,
		Spec: manifest.Spec, Manifest: manifest,
	}
	if m.Random {
		m.Note = randomNote
	}
	return m
}

// onlyModel finds the one ONNX file of a foreign folder.
func onlyModel(dir string) (string, error) {
	for _, candidate := range []string{ModelFile, filepath.Join("onnx", ModelFile)} {
		path := filepath.Join(dir, candidate)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	found, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.onnx"))
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", fmt.Errorf("no %s and no .onnx file in the folder", ManifestFile)
	case len(found) > 1:
		return "", fmt.Errorf("%d .onnx files in the folder; name one of them", len(found))
	}
	return found[0], nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

func hashText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
