package model

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/imgvec/imgvec"
)

// timmConfig are the fields of timm's pretrained_cfg that change pixels; what it leaves out, or sets to null or zero, has
// timm's default (resolve_data_config).
type timmConfig struct {
	InputSize     []int    `json:"input_size"`
	TestInputSize []int    `json:"test_input_size"`
	FixedSize     bool     `json:"fixed_input_size"`
	CropPct       float64  `json:"crop_pct"`
	TestCropPct   float64  `json:"test_crop_pct"`
	CropMode      string   `json:"crop_mode"`
	Interpolation string   `json:"interpolation"`
	Mean          *floats3 `json:"mean"`
	Std           *floats3 `json:"std"`
}

// timmFile is timm's config.json. Older ones have pretrained_cfg's fields at the top.
type timmFile struct {
	Architecture string      `json:"architecture"`
	Pretrained   *timmConfig `json:"pretrained_cfg"`
	Args         struct {
		ImageSize *sides `json:"img_size"`
		Channels  *int   `json:"in_chans"`
	} `json:"model_args"`
	timmConfig
}

// readTimm reads the config.json of a timm model; other programs' files of that name have no pretrained_cfg.
func readTimm(text []byte) (imgvec.Preset, bool, error) { return readTimmAt(text, false) }

// readTimmTest is readTimm for the size that timm recommends for tests, which is often larger than the one of training.
func readTimmTest(text []byte) (imgvec.Preset, bool, error) { return readTimmAt(text, true) }

func readTimmAt(text []byte, test bool) (imgvec.Preset, bool, error) {
	var file struct {
		Architecture string          `json:"architecture"`
		Pretrained   json.RawMessage `json:"pretrained_cfg"`
		Old          json.RawMessage `json:"input_size"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return imgvec.Preset{}, false, err
	}
	if file.Pretrained == nil && (file.Architecture == "" || file.Old == nil) {
		return imgvec.Preset{}, false, nil
	}
	var f timmFile
	if err := json.Unmarshal(text, &f); err != nil {
		return imgvec.Preset{}, false, err
	}
	c := f.timmConfig
	if f.Pretrained != nil {
		c = *f.Pretrained
	}
	if f.Args.Channels != nil && *f.Args.Channels != 3 {
		return imgvec.Preset{}, false, fmt.Errorf("model_args: in_chans is %d: pictures have 3 colours", *f.Args.Channels)
	}
	if s := f.Args.ImageSize; s != nil && c.FixedSize {
		size := s.of(false)
		c.InputSize = []int{3, size.Height, size.Width}
	}
	p, err := c.preset(test)
	if err != nil {
		err = fmt.Errorf("pretrained_cfg: %w", err)
	}
	return p, err == nil, err
}

// preset is what timm's create_transform makes of the configuration for inference.
func (c timmConfig) preset(test bool) (imgvec.Preset, error) {
	size, pct := c.InputSize, c.CropPct
	if test && c.TestInputSize != nil {
		size = c.TestInputSize
	}
	if test && c.TestCropPct != 0 {
		pct = c.TestCropPct
	}
	if size == nil {
		size = []int{3, 224, 224}
	}
	if pct == 0 {
		pct = 0.875
	}
	if len(size) != 3 || size[0] != 3 || size[1] <= 0 || size[2] <= 0 || size[1] > 1<<14 || size[2] > 1<<14 {
		return imgvec.Preset{}, fmt.Errorf("input_size %v: 3, a height and a width are expected", size)
	}
	if !(pct > 0.05 && pct <= 2) {
		return imgvec.Preset{}, fmt.Errorf("crop_pct %v is out of range", pct)
	}
	filter := imgvec.Bicubic
	if c.Interpolation != "" {
		var err error
		if filter, err = filterByName(c.Interpolation); err != nil {
			return imgvec.Preset{}, err
		}
	}
	mean, std := or(c.Mean, defaultMean), or(c.Std, defaultStd)
	p := imgvec.Preset{
		InputSize: imgvec.Size{Height: size[1], Width: size[2]}, CropRound: imgvec.CropHalfEven, Interpolation: filter,
		Scale: 255, Mean: mean.float32(), Std: std.float32(), ChannelOrder: imgvec.RGB,
	}
	box := imgvec.Size{Height: int(math.Floor(float64(size[1]) / pct)), Width: int(math.Floor(float64(size[2]) / pct))}
	switch c.CropMode {
	case "squash":
		p.CropMode = imgvec.CropSquash
	case "border":
		p.CropMode = imgvec.CropBorder
		for i, m := range mean {
			p.Fill[i] = uint8(min(max(math.RoundToEven(255*m), 0), 255))
		}
	default: // timm takes every other word for "center"; of them one that it does not write itself is refused
		if c.CropMode != "" && c.CropMode != "center" {
			return p, fmt.Errorf("crop_mode %q is unknown", c.CropMode)
		}
		p.CropMode = imgvec.CropCenter
		if box.Height == box.Width {
			p.ResizeSize = box.Height
			return p, nil
		}
	}
	if box != p.InputSize || p.CropMode == imgvec.CropCenter {
		p.ResizeTo = box
	}
	return p, nil
}
