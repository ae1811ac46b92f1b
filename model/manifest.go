package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec"
)

// Names of the files in a model folder.
const (
	ModelFile    = "model.onnx"
	ManifestFile = "imgvec.json"
)

const manifestFormat = 1

// maxManifest bounds what is read of a manifest; a real one has 30 KiB.
const maxManifest = 8 << 20

// Manifest is imgvec.json: what a model folder says about its model.
type Manifest struct {
	Format    int         `json:"format"` // of this file: 1
	Name      string      `json:"name"`
	Arch      string      `json:"arch,omitempty"`
	Source    string      `json:"source"`
	License   string      `json:"license"`
	Random    bool        `json:"random,omitempty"` // random weights: the features mean nothing
	Weights   FileHash    `json:"weights,omitzero"` // the checkpoint that the model was made from
	Model     FileHash    `json:"model"`
	Files     []FileHash  `json:"files,omitempty"`  // beside the model file: weights that ONNX keeps outside of it
	Logits    string      `json:"logits,omitempty"` // name of the output that holds a classifier's scores
	Spec      imgvec.Spec `json:"spec"`
	Reference *Reference  `json:"reference,omitempty"`
	Cosines   []Cosine    `json:"cosines,omitempty"`

	Quantised *Quantisation `json:"quantised,omitempty"` // of a model that was made from a float one
}

// FileHash names a file and its content.
type FileHash struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// Reference is one picture and what the model makes of it, for a check on any device.
type Reference struct {
	Image       int       `json:"image"`        // index into ReferencePictures
	ImageSHA256 string    `json:"image_sha256"` // of the encoded picture
	CropSHA256  string    `json:"crop_sha256"`  // of its RGB bytes at model size
	Features    []float32 `json:"features"`     // in fp32
	Provider    string    `json:"provider"`     // what computed them
	Version     string    `json:"version"`
}

// errPresetOnly is a manifest that a person wrote beside a model, for its preset alone.
var errPresetOnly = errors.New("it names no model file")

// check tells whether the manifest can be used.
func (m *Manifest) check() error {
	switch {
	case m.Format != manifestFormat:
		return fmt.Errorf("format %d is unknown; this program reads %d", m.Format, manifestFormat)
	case m.Model.File == "":
		return errPresetOnly
	case m.Model.File != filepath.Base(m.Model.File):
		return fmt.Errorf("model file %q must be the name of a file beside it", m.Model.File)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(f.File) {
			return fmt.Errorf("file %q must lie in the model's folder", f.File)
		}
	}
	return checkSpec(m.Spec)
}

func checkSpec(s imgvec.Spec) error {
	switch {
	case s.Layout != imgvec.NCHW && s.Layout != imgvec.NHWC:
		return fmt.Errorf("layout %q is unknown (NCHW, NHWC)", s.Layout)
	case s.DType != imgvec.Float32 && s.DType != imgvec.Float16 && s.DType != imgvec.Uint8:
		return fmt.Errorf("element type %q is unknown (float32, float16, uint8)", s.DType)
	case s.Input == "" || s.Feature == "":
		return errors.New("the input or the feature output has no name")
	case s.Dim <= 0 || s.Dim > 1<<24 || s.MaxBatch < 0:
		return fmt.Errorf("dimension %d or largest batch %d is out of range", s.Dim, s.MaxBatch)
	}
	return s.Preset.Check()
}

// readManifest reads a folder's imgvec.json.
func readManifest(dir string) (Manifest, error) {
	var m Manifest
	text, err := readSmall(filepath.Join(dir, ManifestFile), maxManifest)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, unreadable(dir, err)
	}
	if err := m.check(); err != nil {
		return m, unreadable(dir, err)
	}
	return m, nil
}

// unreadable is the error for the manifest in dir, with what to do.
func unreadable(dir string, cause error) error {
	remedy := "imgvec model import"
	if name := filepath.Base(dir); isKnown(name) {
		remedy = "imgvec model pull " + name
	}
	return fmt.Errorf("%s can't be used: %w; install it again with: %s", filepath.Join(dir, ManifestFile), cause, remedy)
}

// again is the remedy for a model whose files are damaged: the command that installed it.
func (m *Manifest) again() string {
	command := "imgvec model import " + m.Weights.File
	switch {
	case m.Quantised != nil:
		return fmt.Sprintf("make it again with: imgvec model quantize %s --images DIR -o %s --force", m.Quantised.From, m.Name)
	case isKnown(m.Name) && !strings.HasPrefix(m.Source, notTheRegistrys):
		command = "imgvec model pull " + m.Name
	case IsAddress(m.Source):
		command = fmt.Sprintf("imgvec model pull %s --sha256 %s --name %s", m.Source, m.Weights.SHA256, m.Name)
	case m.Weights.File != "":
		command += " --name " + m.Name
	}
	return "install it again with: " + strings.TrimSpace(command)
}

// write replaces the folder's manifest; the caller holds the folder.
func (m *Manifest) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeAtomic(filepath.Join(dir, ManifestFile), func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is over %d bytes", path, limit)
	}
	return text, err
}
