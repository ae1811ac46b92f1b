package model

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
)

// hfConfig are the fields of preprocessor_config.json that change pixels. What is nil or not said has the class's default.
type hfConfig struct {
	Type          string   `json:"image_processor_type"`
	OldType       string   `json:"feature_extractor_type"`
	DoResize      flag     `json:"do_resize"`
	Size          *sides   `json:"size"`
	SquareNumber  flag     `json:"default_to_square"`
	Resample      *int     `json:"resample"`
	DoCenterCrop  flag     `json:"do_center_crop"`
	CropSize      *sides   `json:"crop_size"`
	CropPct       *float64 `json:"crop_pct"`
	DoRescale     flag     `json:"do_rescale"`
	RescaleFactor *float64 `json:"rescale_factor"`
	RescaleOffset flag     `json:"rescale_offset"`
	DoNormalize   flag     `json:"do_normalize"`
	Mean          *floats3 `json:"image_mean"`
	Std           *floats3 `json:"image_std"`
	IncludeTop    flag     `json:"include_top"`
}

// or gives what a field says, or its default.
func or[T any](field *T, byDefault T) T {
	if field == nil {
		return byDefault
	}
	return *field
}

// flag is a field of true or false. null is Python's None and so false, whatever the default: only a field that is not
// there has it.
type flag struct{ said, yes bool }

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(text []byte) error {
	f.said = true
	return json.Unmarshal(text, &f.yes)
}

func (f flag) or(byDefault bool) bool { return f.said && f.yes || !f.said && byDefault }

// readHuggingFaceNested reads processor_config.json, which transformers 5 writes for models of several kinds of input. The
// image processor's part of it goes before preprocessor_config.json.
func readHuggingFaceNested(text []byte) (imgvec.Preset, bool, error) {
	var config struct {
		Image json.RawMessage `json:"image_processor"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return imgvec.Preset{}, false, err
	}
	if len(config.Image) == 0 || config.Image[0] != '{' {
		return imgvec.Preset{}, false, nil
	}
	p, ok, err := readHuggingFace(config.Image)
	if err != nil {
		err = fmt.Errorf("image_processor: %w", err)
	}
	return p, ok, err
}

// readHuggingFace reads preprocessor_config.json as transformers' PIL backend would follow it.
func readHuggingFace(text []byte) (imgvec.Preset, bool, error) {
	var c hfConfig
	if err := json.Unmarshal(text, &c); err != nil {
		return imgvec.Preset{}, false, err
	}
	p, err := c.preset(text)
	return p, err == nil, err
}

func (c hfConfig) preset(text []byte) (imgvec.Preset, error) {
	name, class, err := c.class()
	if err != nil {
		return imgvec.Preset{}, err
	}
	if err := checkFields(name, class, text); err != nil {
		return imgvec.Preset{}, err
	}
	p, err := c.geometry(class)
	if err != nil {
		return p, err
	}
	resample := or(c.Resample, class.resample)
	filter, ok := hfFilters[resample]
	if !ok {
		return p, fmt.Errorf("resample %d is unknown", resample)
	}
	p.Interpolation, p.CropRound, p.ChannelOrder = filter, imgvec.CropFloor, imgvec.RGB
	if err := c.normalisation(class, &p); err != nil {
		return p, err
	}
	if class.float {
		return p, c.float(&p)
	}
	return p, nil
}

// class finds the class by its name of either generation: "ViTFeatureExtractor", "ViTImageProcessor",
// "ViTImageProcessorFast".
func (c hfConfig) class() (string, hfClass, error) {
	name := c.Type
	if name == "" {
		name = c.OldType
	}
	if name == "" {
		return "", hfClass{}, fmt.Errorf("it names no image_processor_type, and what its fields mean depends on that")
	}
	bare := strings.TrimSuffix(name, "Fast")
	bare, ok := strings.CutSuffix(bare, "ImageProcessor")
	if !ok {
		bare, ok = strings.CutSuffix(bare, "FeatureExtractor")
	}
	class, known := hfClasses[bare]
	if !ok || !known {
		return "", hfClass{}, fmt.Errorf("image processor %q is not known to this program; describe its preset in an %s", name, ManifestFile)
	}
	return name, class, nil
}

// checkFields refuses fields that ask for something no preset can do, and the lack of one that must be there.
func checkFields(name string, class hfClass, text []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	unsupported := hfUnsupported
	if !class.twice {
		unsupported = append(slices.Clone(unsupported), "rescale_offset", "include_top")
	}
	for _, field := range unsupported {
		switch strings.TrimSpace(string(fields[field])) {
		case "", "null", "false", "0":
		default:
			return fmt.Errorf("%s is %s, which %s does not know, or no preset can follow", field, fields[field], name)
		}
	}
	for _, field := range []string{"size", "crop_size", "crop_pct", "resample", "rescale_factor", "image_mean", "image_std"} {
		idle := field == "crop_pct" && class.cropPct == 0 || field == "crop_size" && !class.crop.complete()
		if string(fields[field]) == "null" && !idle {
			return fmt.Errorf("%s is null: leave it out for the default of %s, or give it a value", field, name)
		}
	}
	for _, field := range class.unsettled {
		if fields[field] == nil {
			return fmt.Errorf("%s is missing, and releases of transformers do not agree on what %s then does: write it into the file", field, name)
		}
	}
	return nil
}

func (c hfConfig) normalisation(class hfClass, p *imgvec.Preset) error {
	factor, offset := or(c.RescaleFactor, 1.0/255), c.RescaleOffset.or(false)
	switch {
	case !c.DoRescale.or(true):
		p.Scale = 1
	case factor == 0:
		return fmt.Errorf("rescale_factor is 0")
	case offset && math.Abs(factor*127.5-1) > 1e-9:
		return fmt.Errorf("rescale_offset with rescale_factor %v: releases of transformers do not agree on what that means", factor)
	case factor == 1.0/255:
		p.Scale = 255 // the same numbers
	default:
		p.Factor = factor
	}
	if p.Scale != 1 && offset {
		p.Offset = -1
	}
	std := or(c.Std, class.std)
	p.Mean, p.Std = or(c.Mean, class.mean).float32(), std.float32()
	if !c.DoNormalize.or(true) {
		p.Mean, p.Std = [3]float32{}, [3]float32{1, 1, 1}
	}
	if class.twice && c.IncludeTop.or(true) {
		p.StdAgain = std.float32()
	}
	return nil
}

// float is for a class that rescales, resizes and normalises in floating point, by torch alone.
func (c hfConfig) float(p *imgvec.Preset) error {
	box := p.Box()
	switch {
	case !c.DoRescale.or(true) || p.CropMode == imgvec.CropOnly:
		return fmt.Errorf("do_rescale or do_resize is false: that is not supported for this class")
	case p.Interpolation != imgvec.Bilinear:
		return fmt.Errorf("resample %d is not supported for this class: it resizes in floating point, which is done bilinear only", or(c.Resample, 2))
	case p.CropMode == imgvec.CropCenter && (p.ResizeSize < p.InputSize.Height || p.ResizeSize < p.InputSize.Width),
		p.CropMode == imgvec.CropSquash && (box.Height < p.InputSize.Height || box.Width < p.InputSize.Width):
		return fmt.Errorf("crop_size %dx%d is more than size leaves: that is not supported for this class", p.InputSize.Height, p.InputSize.Width)
	}
	p.Domain = imgvec.DomainFloat
	return nil
}
