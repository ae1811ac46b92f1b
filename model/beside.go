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

// besideReaders are the files that carry a preset, in the order of their precedence. ok is false where the file is of
// another kind.
var besideReaders = []struct {
	file string
	read func(text []byte) (p imgvec.Preset, ok bool, err error)
}{
	{ManifestFile, readOwnPreset},
	{"preprocessor_config.json", readHuggingFace},
	{"config.json", readTimm},
	{"open_clip_config.json", readOpenCLIP},
}

// presetBeside looks for a preset in the model's folder, and in the one above where the model lies in "onnx" as
// Hugging Face's exporter puts it.
func presetBeside(path string) (foundPreset, error) {
	dirs := []string{filepath.Dir(path)}
	if abs, err := filepath.Abs(dirs[0]); err == nil && filepath.Base(abs) == "onnx" {
		dirs = append(dirs, filepath.Dir(abs))
	}
	for _, dir := range dirs {
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

// readTimm reads the config.json of a timm model; other programs' files of that name have no pretrained_cfg.
func readTimm(text []byte) (imgvec.Preset, bool, error) {
	var config struct {
		Pretrained *struct {
			InputSize     []int     `json:"input_size"`
			CropPct       float64   `json:"crop_pct"`
			CropMode      string    `json:"crop_mode"`
			Interpolation string    `json:"interpolation"`
			Mean          []float32 `json:"mean"`
			Std           []float32 `json:"std"`
		} `json:"pretrained_cfg"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return imgvec.Preset{}, false, err
	}
	c := config.Pretrained
	if c == nil {
		return imgvec.Preset{}, false, nil
	}
	if len(c.InputSize) != 3 || c.InputSize[0] != 3 || c.InputSize[1] != c.InputSize[2] || len(c.Mean) != 3 || len(c.Std) != 3 {
		return imgvec.Preset{}, false, fmt.Errorf("pretrained_cfg: input_size %v, mean %v, std %v: a square picture of 3 channels is expected", c.InputSize, c.Mean, c.Std)
	}
	filter, err := filterByName(c.Interpolation)
	if err != nil {
		return imgvec.Preset{}, false, err
	}
	if c.CropPct <= 0 || c.CropPct > 1 {
		return imgvec.Preset{}, false, fmt.Errorf("pretrained_cfg: crop_pct %v is out of range", c.CropPct)
	}
	side := c.InputSize[1]
	p := centerCrop(int(float64(side)/c.CropPct), side, filter, [3]float32(c.Mean), [3]float32(c.Std))
	switch {
	case c.CropMode == "" || c.CropMode == "center":
	case c.CropMode == "squash" && c.CropPct == 1:
		p = squash(p)
	default:
		return imgvec.Preset{}, false, fmt.Errorf("pretrained_cfg: crop_mode %q with crop_pct %v is not supported", c.CropMode, c.CropPct)
	}
	return p, true, nil
}

// openAIMean and openAIStd are CLIP's normalisation.
var (
	openAIMean = [3]float32{0.48145466, 0.4578275, 0.40821073}
	openAIStd  = [3]float32{0.26862954, 0.26130258, 0.27577711}
	half       = [3]float32{0.5, 0.5, 0.5}
)

// readOpenCLIP reads open_clip_config.json; what it leaves out has open_clip's defaults.
func readOpenCLIP(text []byte) (imgvec.Preset, bool, error) {
	var config struct {
		Preprocess *struct {
			Size          sides       `json:"size"`
			Mean          *[3]float32 `json:"mean"`
			Std           *[3]float32 `json:"std"`
			Interpolation string      `json:"interpolation"`
			ResizeMode    string      `json:"resize_mode"`
		} `json:"preprocess_cfg"`
		Model struct {
			Vision struct {
				ImageSize sides `json:"image_size"`
			} `json:"vision_cfg"`
		} `json:"model_cfg"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return imgvec.Preset{}, false, err
	}
	c := config.Preprocess
	if c == nil {
		return imgvec.Preset{}, false, errors.New("preprocess_cfg is missing")
	}
	size := c.Size
	if size.Height == 0 {
		size = config.Model.Vision.ImageSize
	}
	if size.Height <= 0 || size.Height != size.Width {
		return imgvec.Preset{}, false, fmt.Errorf("preprocess_cfg: size %+v: a square picture is expected", size)
	}
	filter := imgvec.Bicubic
	if c.Interpolation != "" {
		var err error
		if filter, err = filterByName(c.Interpolation); err != nil {
			return imgvec.Preset{}, false, err
		}
	}
	p := centerCrop(size.Height, size.Height, filter, openAIMean, openAIStd)
	if c.Mean != nil {
		p.Mean = *c.Mean
	}
	if c.Std != nil {
		p.Std = *c.Std
	}
	switch c.ResizeMode {
	case "", "shortest":
	case "squash":
		p = squash(p)
	default:
		return imgvec.Preset{}, false, fmt.Errorf("preprocess_cfg: resize_mode %q is not supported", c.ResizeMode)
	}
	return p, true, nil
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
