package model

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/imgvec/imgvec"
)

// openClipConfig is preprocess_cfg of open_clip's files.
type openClipConfig struct {
	Size          *sides   `json:"size"`
	Mode          string   `json:"mode"`
	Mean          *floats3 `json:"mean"`
	Std           *floats3 `json:"std"`
	Interpolation string   `json:"interpolation"`
	ResizeMode    string   `json:"resize_mode"`
	FillColor     int      `json:"fill_color"`
}

// readOpenCLIP reads open_clip_config.json; what it leaves out has open_clip's defaults.
func readOpenCLIP(text []byte) (imgvec.Preset, bool, error) {
	var file struct {
		Preprocess *openClipConfig `json:"preprocess_cfg"`
		Model      struct {
			Vision struct {
				ImageSize *sides `json:"image_size"`
			} `json:"vision_cfg"`
		} `json:"model_cfg"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return imgvec.Preset{}, false, err
	}
	if file.Preprocess == nil {
		return imgvec.Preset{}, false, errors.New("preprocess_cfg is missing")
	}
	said, ofModel := file.Preprocess.Size, file.Model.Vision.ImageSize
	size := or(ofModel, or(said, both(224))).of(false) // open_clip takes the model's
	if said != nil && said.of(false) != size {
		return imgvec.Preset{}, false, fmt.Errorf("preprocess_cfg: size %v contradicts vision_cfg's image_size %v", said, size)
	}
	p, err := file.Preprocess.preset(size)
	if err != nil {
		err = fmt.Errorf("preprocess_cfg: %w", err)
	}
	return p, err == nil, err
}

// preset is what open_clip's image_transform makes of the configuration for inference.
func (c openClipConfig) preset(size sides) (imgvec.Preset, error) {
	p := imgvec.Preset{
		InputSize: size.size(), CropRound: imgvec.CropHalfEven, Interpolation: imgvec.Bicubic, Scale: 255,
		Mean: or(c.Mean, clipMean).float32(), Std: or(c.Std, clipStd).float32(), ChannelOrder: imgvec.RGB,
	}
	switch {
	case !size.complete():
		return p, fmt.Errorf("size %v: a height and a width are expected", size)
	case c.Mode != "" && c.Mode != "RGB":
		return p, fmt.Errorf("mode %q is not supported", c.Mode)
	case c.FillColor < 0 || c.FillColor > 255:
		return p, fmt.Errorf("fill_color %d is out of range", c.FillColor)
	}
	switch c.Interpolation {
	case "", "bicubic", "random": // chosen at random in training only
	case "bilinear":
		p.Interpolation = imgvec.Bilinear
	default:
		return p, fmt.Errorf("interpolation %q is not supported", c.Interpolation)
	}
	switch c.ResizeMode {
	case "squash":
		p.CropMode = imgvec.CropSquash
	case "longest":
		p.CropMode = imgvec.CropBorder
		p.Fill = [3]uint8{uint8(c.FillColor), uint8(c.FillColor), uint8(c.FillColor)}
	case "", "shortest":
		p.CropMode = imgvec.CropCenter
		if size.Height == size.Width {
			p.ResizeSize = size.Height
			break
		}
		p.ResizeTo, p.Interpolation = size.size(), imgvec.Bicubic // open_clip forgets the interpolation where the sides differ
	default:
		return p, fmt.Errorf("resize_mode %q is not supported", c.ResizeMode)
	}
	return p, nil
}
