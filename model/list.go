package model

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/imgvec/imgvec"
)

// Listing is what is known of a model without opening it: of the registry, of this machine, or of both.
type Listing struct {
	Name          string      `json:"name"`
	Description   string      `json:"description,omitempty"`
	Arch          string      `json:"arch,omitempty"`
	Dim           int         `json:"dim"`           // features an image; 0: not known
	Input         imgvec.Size `json:"input"`         // of the pictures, in pixels
	License       string      `json:"license"`       // of the weights
	Source        string      `json:"source"`        // where the weights come from
	WeightsFile   string      `json:"weights_file"`  // the checkpoint's name
	SHA256        string      `json:"sha256"`        // of the checkpoint: whole, or the first 8 digits
	SHA256Note    string      `json:"sha256_note"`   // how much of it that is, or who says so
	DownloadBytes int64       `json:"download_size"` // about; 0: not known, or nothing is downloaded
	DiskBytes     int64       `json:"disk_size"`     // of its folder; 0: not installed
	Registry      bool        `json:"registry"`      // known by name
	Random        bool        `json:"random"`        // random weights: the features mean nothing
	Installed     bool        `json:"installed"`     // its folder can be used, as far as can be told without reading all of it
	Damaged       string      `json:"damaged"`       // why its folder can't be used; empty: it can, or is not there
	Dir           string      `json:"dir"`           // where it is, or would be, installed
}

// List lists the models of the registry, the default first, and then the installed ones that are not in it. It reads
// manifests only: a model file whose bytes have changed is found by [Open].
func List(opts OpenOptions) []Listing {
	var list []Listing
	installed := installedNames(opts)
	for _, e := range known {
		list = append(list, e.listing(opts))
		installed = slices.DeleteFunc(installed, func(name string) bool { return name == e.Name })
	}
	slices.Sort(installed)
	for _, name := range installed {
		l := Listing{Name: name, Dir: filepath.Join(opts.models(), name)}
		l.look(opts)
		list = append(list, l)
	}
	return list
}

func (e Entry) listing(opts OpenOptions) Listing {
	l := Listing{
		Name: e.Name, Description: e.Description, Arch: e.Arch, Dim: e.Dim, Input: e.Preset.InputSize, License: e.License,
		Source: e.Source, WeightsFile: e.WeightsFile, SHA256: e.SHA256, SHA256Note: e.SHA256Note, DownloadBytes: e.Bytes,
		Registry: true, Random: e.Random, Dir: filepath.Join(opts.models(), e.Name),
	}
	l.look(opts)
	return l
}

// look fills in what the model's folder says. Where it says something else than the registry, it is right: that is what
// runs.
func (l *Listing) look(opts OpenOptions) {
	manifest, err := readManifest(l.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case errors.Is(err, errPresetOnly): // a person's own model, of which only the preset is written down
		m, err := openFolder(l.Dir, opts)
		if err != nil {
			l.Damaged = err.Error()
			return
		}
		manifest = m.Manifest
	case err != nil:
		l.Damaged = err.Error()
		return
	}
	l.Arch, l.Dim, l.Input, l.Random = manifest.Arch, manifest.Spec.Dim, manifest.Spec.Preset.InputSize, manifest.Random
	l.License, l.Source = manifest.License, manifest.Source
	l.WeightsFile, l.SHA256, l.SHA256Note = manifest.Weights.File, manifest.Weights.SHA256, ""
	l.DiskBytes = sizeOf(l.Dir)
	for _, file := range append([]FileHash{manifest.Model}, manifest.Files...) {
		if info, err := os.Stat(filepath.Join(l.Dir, file.File)); err != nil || info.Size() == 0 {
			l.Damaged = filepath.Join(l.Dir, file.File) + " is missing or empty; " + manifest.again()
			return
		}
	}
	l.Installed = true
}

// sizeOf is the size of all files in a folder, in bytes.
func sizeOf(dir string) int64 {
	total := int64(0)
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // what can't be read is not counted
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}
