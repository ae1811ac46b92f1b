package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/imgvec/imgvec"
)

// foundPreset is a preset and the file that it was read from.
type foundPreset struct {
	preset imgvec.Preset
	source string // empty: none was found
}

const timmFileName = "config.json"

// besideReaders are the files that carry a preset, in the order of their precedence. ok is false where the file is of
// another kind.
var besideReaders = []struct {
	file string
	read func(text []byte) (p imgvec.Preset, ok bool, err error)
}{
	{ManifestFile, readOwnPreset},
	{"processor_config.json", readHuggingFaceNested},
	{"preprocessor_config.json", readHuggingFace},
	{timmFileName, readTimm},
	{"open_clip_config.json", readOpenCLIP},
}

// dirsOf are the model's folder, and the one above where the model lies in "onnx" as Hugging Face's exporter puts it.
func dirsOf(path string) []string {
	dirs := []string{filepath.Dir(path)}
	if abs, err := filepath.Abs(dirs[0]); err == nil && filepath.Base(abs) == "onnx" {
		dirs = append(dirs, filepath.Dir(abs))
	}
	return dirs
}

// presetBesideTest is the preset of timm's file beside the model at the size for tests.
func presetBesideTest(path string) (imgvec.Preset, error) {
	for _, dir := range dirsOf(path) {
		file := filepath.Join(dir, timmFileName)
		text, err := readSmall(file, maxManifest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return imgvec.Preset{}, err
		}
		p, ok, err := readTimmTest(text)
		if err == nil && ok {
			err = p.Check()
		}
		if err != nil || ok {
			return p, err
		}
	}
	return imgvec.Preset{}, fmt.Errorf("preset %s: no %s of timm lies beside the file", PresetBesideTest, timmFileName)
}

// presetBeside looks for a preset in the model's folders.
func presetBeside(path string) (foundPreset, error) {
	for _, dir := range dirsOf(path) {
		for _, r := range besideReaders {
			file := filepath.Join(dir, r.file)
			text, err := readSmall(file, maxManifest)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return foundPreset{}, err
			}
			preset, ok, err := r.read(text)
			if err == nil && ok {
				err = preset.Check()
			}
			if err != nil {
				return foundPreset{}, fmt.Errorf("%s: %w", file, err)
			}
			if ok {
				return foundPreset{preset, file}, nil
			}
		}
	}
	return foundPreset{}, nil
}

// readOwnPreset reads an imgvec.json that a person wrote beside a model: only spec.preset counts.
func readOwnPreset(text []byte) (imgvec.Preset, bool, error) {
	var own struct {
		Format int `json:"format"`
		Spec   struct {
			Preset *imgvec.Preset `json:"preset"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(text, &own); err != nil {
		return imgvec.Preset{}, false, err
	}
	if own.Format != manifestFormat || own.Spec.Preset == nil {
		return imgvec.Preset{}, false, fmt.Errorf("format %d with spec.preset is expected", manifestFormat)
	}
	return *own.Spec.Preset, true, nil
}

// squash makes a preset that resizes both sides to the input's.
func squash(p imgvec.Preset) imgvec.Preset {
	p.CropMode, p.ResizeSize = imgvec.CropSquash, 0
	return p
}

func filterByName(name string) (imgvec.Interpolation, error) {
	switch f := imgvec.Interpolation(name); f {
	case imgvec.Nearest, imgvec.Box, imgvec.Bilinear, imgvec.Hamming, imgvec.Bicubic, imgvec.Lanczos:
		return f, nil
	}
	return "", fmt.Errorf("interpolation %q is not supported", name)
}
