package model

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/imgvec/imgvec"
)

// hfClass is what a Hugging Face image processor does where its file leaves something out. The same field means
// different things to different classes, so a class that is not listed is refused and never guessed.
type hfClass struct {
	geometry hfGeometry
	size     sides // default of "size"
	crop     int   // default of "crop_size"
	resample int
	mean     [3]float32
	std      [3]float32
}

type hfGeometry int

const (
	hfSquash   hfGeometry = iota // both sides to size
	hfShort                      // short side to size, then the centre
	hfConvNext                   // short side to size/crop_pct, then the centre; squash from 384 on
)

var hfClasses = map[string]hfClass{
	"ViT":         {hfSquash, sides{Height: 224, Width: 224}, 0, 2, half, half},
	"Siglip":      {hfSquash, sides{Height: 224, Width: 224}, 0, 3, half, half},
	"CLIP":        {hfShort, sides{Short: 224}, 224, 3, openAIMean, openAIStd},
	"Bit":         {hfShort, sides{Short: 224}, 224, 3, openAIMean, openAIStd},
	"MobileNetV1": {hfShort, sides{Short: 256}, 224, 2, half, half},
	"MobileNetV2": {hfShort, sides{Short: 256}, 224, 2, half, half},
	"ConvNext":    {hfConvNext, sides{Short: 384}, 0, 2, imgvec.ImageNetMean, imgvec.ImageNetStd},
}

// hfFilters are Pillow's numbers.
var hfFilters = map[int]imgvec.Interpolation{
	0: imgvec.Nearest, 1: imgvec.Lanczos, 2: imgvec.Bilinear, 3: imgvec.Bicubic, 4: imgvec.Box, 5: imgvec.Hamming,
}

// sides is a size as the files write it: a number, [h, w], {"height", "width"} or {"shortest_edge"}.
type sides struct{ Height, Width, Short int }

// UnmarshalJSON implements json.Unmarshaler.
func (s *sides) UnmarshalJSON(text []byte) error {
	var number int
	if json.Unmarshal(text, &number) == nil {
		*s = sides{number, number, number}
		return nil
	}
	var pair []int
	if json.Unmarshal(text, &pair) == nil && len(pair) == 2 {
		*s = sides{Height: pair[0], Width: pair[1]}
		return nil
	}
	var named struct {
		Height  int `json:"height"`
		Width   int `json:"width"`
		Short   int `json:"shortest_edge"`
		Longest int `json:"longest_edge"`
	}
	if err := json.Unmarshal(text, &named); err != nil {
		return err
	}
	if named.Longest != 0 {
		return fmt.Errorf("a size by its longest edge (%d) is not supported", named.Longest)
	}
	*s = sides{named.Height, named.Width, named.Short}
	return nil
}

type hfConfig struct {
	Type          string      `json:"image_processor_type"`
	OldType       string      `json:"feature_extractor_type"`
	DoResize      *bool       `json:"do_resize"`
	Size          *sides      `json:"size"`
	Resample      *int        `json:"resample"`
	DoCenterCrop  *bool       `json:"do_center_crop"`
	CropSize      *sides      `json:"crop_size"`
	CropPct       *float64    `json:"crop_pct"`
	DoRescale     *bool       `json:"do_rescale"`
	RescaleFactor *float64    `json:"rescale_factor"`
	RescaleOffset *bool       `json:"rescale_offset"`
	DoNormalize   *bool       `json:"do_normalize"`
	Mean          *[3]float32 `json:"image_mean"`
	Std           *[3]float32 `json:"image_std"`
}

func yes(b *bool) bool { return b == nil || *b }

// readHuggingFace reads preprocessor_config.json.
func readHuggingFace(text []byte) (imgvec.Preset, bool, error) {
	var c hfConfig
	if err := json.Unmarshal(text, &c); err != nil {
		return imgvec.Preset{}, false, err
	}
	class, err := c.class()
	if err != nil {
		return imgvec.Preset{}, false, err
	}
	p, err := c.geometry(class)
	if err != nil {
		return imgvec.Preset{}, false, err
	}
	resample := class.resample
	if c.Resample != nil {
		resample = *c.Resample
	}
	filter, ok := hfFilters[resample]
	if !ok {
		return imgvec.Preset{}, false, fmt.Errorf("resample %d is unknown", resample)
	}
	p.Interpolation = filter
	err = c.normalisation(class, &p)
	return p, err == nil, err
}

func (c hfConfig) class() (hfClass, error) {
	name := c.Type
	if name == "" {
		name = c.OldType
	}
	if name == "" {
		return hfClass{}, fmt.Errorf("it names no image_processor_type, and what its fields mean depends on that")
	}
	bare := strings.TrimSuffix(name, "Fast")
	bare = strings.TrimSuffix(strings.TrimSuffix(bare, "ImageProcessor"), "FeatureExtractor")
	class, ok := hfClasses[bare]
	if !ok {
		return hfClass{}, fmt.Errorf("image processor %q is not known to this program; describe its preset in an %s", name, ManifestFile)
	}
	return class, nil
}

func (c hfConfig) geometry(class hfClass) (imgvec.Preset, error) {
	p := floorCrop(centerCrop(0, 0, "", class.mean, class.std))
	if !yes(c.DoResize) {
		return p, fmt.Errorf("do_resize is false: pictures of any size can't be a batch")
	}
	size := class.size
	if c.Size != nil {
		size = *c.Size
	}
	switch class.geometry {
	case hfShort:
		return c.shortSide(class, size, p)
	case hfConvNext:
		if size.Short >= 384 {
			size = sides{Height: size.Short, Width: size.Short}
			break
		}
		pct := 224.0 / 256
		if c.CropPct != nil {
			pct = *c.CropPct
		}
		if size.Short <= 0 || pct <= 0 || pct > 1 {
			return p, fmt.Errorf("size %+v with crop_pct %v is not possible", size, pct)
		}
		p.ResizeSize = int(float64(size.Short) / pct)
		p.InputSize = imgvec.Size{Height: size.Short, Width: size.Short}
		return p, nil
	}
	if size.Height <= 0 || size.Width <= 0 || c.DoCenterCrop != nil && *c.DoCenterCrop {
		return p, fmt.Errorf("size %+v, do_center_crop %v: a height and a width without a crop are expected", size, yes(c.DoCenterCrop))
	}
	p.InputSize = imgvec.Size{Height: size.Height, Width: size.Width}
	return squash(p), nil
}

func (c hfConfig) shortSide(class hfClass, size sides, p imgvec.Preset) (imgvec.Preset, error) {
	crop := sides{Height: class.crop, Width: class.crop}
	if c.CropSize != nil {
		crop = *c.CropSize
	}
	if crop.Height == 0 && crop.Short != 0 {
		crop = sides{Height: crop.Short, Width: crop.Short}
	}
	cropped := yes(c.DoCenterCrop)
	switch {
	case size.Short > 0 && cropped:
		p.ResizeSize = size.Short
		p.InputSize = imgvec.Size{Height: crop.Height, Width: crop.Width}
		return p, nil
	case size.Short == 0 && size.Height > 0 && (!cropped || crop.Height == size.Height && crop.Width == size.Width):
		p.InputSize = imgvec.Size{Height: size.Height, Width: size.Width}
		return squash(p), nil
	}
	return p, fmt.Errorf("size %+v, crop_size %+v, do_center_crop %v do not make pictures of one size", size, crop, cropped)
}

func (c hfConfig) normalisation(class hfClass, p *imgvec.Preset) error {
	if c.RescaleOffset != nil && *c.RescaleOffset {
		return fmt.Errorf("rescale_offset is not supported")
	}
	if !yes(c.DoRescale) {
		p.Scale = 1
	} else if c.RescaleFactor != nil {
		divisor := 1 / *c.RescaleFactor
		if math.IsInf(divisor, 0) || math.Abs(divisor-math.Round(divisor)) > 1e-4 {
			return fmt.Errorf("rescale_factor %v is not supported", *c.RescaleFactor)
		}
		p.Scale = float32(math.Round(divisor))
	}
	p.Mean, p.Std = class.mean, class.std
	if c.Mean != nil {
		p.Mean = *c.Mean
	}
	if c.Std != nil {
		p.Std = *c.Std
	}
	if !yes(c.DoNormalize) {
		p.Mean, p.Std = [3]float32{}, [3]float32{1, 1, 1}
	}
	return nil
}
