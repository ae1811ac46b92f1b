package model

import "github.com/imgvec/imgvec"

// hfClass is what a Hugging Face image processor does where its file leaves something out. The same field means
// different things to different classes, so a class that is not listed is refused and never guessed. The values are
// those of transformers 5.23; scripts/models/test_presets.py compares each with the installed class.
type hfClass struct {
	rule      hfRule
	size      sides // default of "size"
	short     bool  // a plain number as "size" is the short side, not both
	crop      sides // default of "crop_size"
	cropped   bool  // default of "do_center_crop"
	cropPct   float64
	resample  int
	mean, std floats3
	twice     bool     // it knows rescale_offset and include_top
	float     bool     // it resizes rescaled pixels, in floating point
	unsettled []string // fields whose defaults transformers 4 and 5 do not agree on
}

// hfRule says what "size" leads to.
type hfRule int

const (
	hfPlain      hfRule = iota // the short side, or both sides; then the centre, where one is asked for
	hfConvNext                 // short side to size/crop_pct, then the centre of size; both sides from 384 on
	hfLevit                    // short side to size*256/224
	hfPoolFormer               // short side to size/crop_pct
)

var (
	clipMean    = floats3{0.48145466, 0.4578275, 0.40821073} // CLIP's normalisation
	clipStd     = floats3{0.26862954, 0.26130258, 0.27577711}
	halves      = floats3{0.5, 0.5, 0.5}
	defaultMean = floats3{0.485, 0.456, 0.406}
	defaultStd  = floats3{0.229, 0.224, 0.225}
)

func both(side int) sides { return sides{Height: side, Width: side} }

func short(side int) sides { return sides{Short: side} }

// hfClasses are named as image_processor_type does, without "ImageProcessor". Model types without a class of their own
// use one of these: Swin, ViT-MAE and I-JEPA use ViT's, DINOv2, Hiera and FocalNet Bit's, ResNet, RegNet, CvT and
// ConvNeXt V2 ConvNeXt's, SigLIP 2 of one size SigLIP's.
var hfClasses = map[string]hfClass{
	"ViT":    {size: both(224), resample: 2, mean: halves, std: halves},
	"CLIP":   {size: short(224), short: true, crop: both(224), cropped: true, resample: 3, mean: clipMean, std: clipStd},
	"Bit":    {size: short(224), short: true, crop: both(224), cropped: true, resample: 3, mean: clipMean, std: clipStd},
	"Siglip": {size: both(224), short: true, resample: 3, mean: halves, std: halves},
	"DeiT":   {size: both(256), crop: both(224), cropped: true, resample: 3, mean: halves, std: halves},
	"Beit": {size: both(224), crop: both(224), resample: 3, mean: halves, std: halves,
		unsettled: []string{"size", "do_center_crop"}}, // 4: 256, true
	"ConvNext":    {rule: hfConvNext, size: short(384), short: true, cropPct: 224.0 / 256, resample: 3, mean: halves, std: halves},
	"MobileNetV1": {size: short(256), short: true, crop: both(224), cropped: true, resample: 2, mean: halves, std: halves},
	"MobileNetV2": {size: short(256), short: true, crop: both(224), cropped: true, resample: 2, mean: halves, std: halves},
	"Levit":       {rule: hfLevit, size: short(224), short: true, crop: both(224), cropped: true, resample: 3, mean: defaultMean, std: defaultStd},
	"PoolFormer": {rule: hfPoolFormer, size: short(224), short: true, crop: both(224), cropped: true, cropPct: 0.9, resample: 3,
		mean: defaultMean, std: defaultStd},
	"EfficientNet": {size: both(346), crop: both(289), resample: 3, mean: halves, std: halves, twice: true,
		unsettled: []string{"resample"}}, // 4: nearest
	"Blip":        {size: both(384), resample: 3, mean: clipMean, std: clipStd},
	"ChineseCLIP": {size: short(224), short: true, crop: both(224), cropped: true, resample: 3, mean: clipMean, std: clipStd},
	"DINOv3ViT":   {size: both(224), resample: 2, mean: defaultMean, std: defaultStd, float: true},
}

// hfFilters are Pillow's numbers.
var hfFilters = map[int]imgvec.Interpolation{
	0: imgvec.Nearest, 1: imgvec.Lanczos, 2: imgvec.Bilinear, 3: imgvec.Bicubic, 4: imgvec.Box, 5: imgvec.Hamming,
}

// hfUnsupported are fields by which some class changes pictures in a way that presets do not know. Set to anything but
// false, nothing or zero they are refused, whatever the class.
var hfUnsupported = []string{
	"do_pad", "do_thumbnail", "do_align_long_axis", "do_crop_margin", "do_random_crop", "do_flip_channel_order", "do_image_splitting", "do_color_quantize",
	"use_square_size", "size_divisor", "keep_aspect_ratio", "max_num_patches",
}
