package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgvec/imgvec"
)

// The files are the ones that the models' own repositories carry, shortened to the fields that matter.
func TestPresetFiles(t *testing.T) {
	ok := func(p imgvec.Preset) *imgvec.Preset { return &p }
	for name, c := range map[string]struct {
		read func([]byte) (imgvec.Preset, bool, error)
		text string
		want *imgvec.Preset // nil: refused, or another kind of file
		err  string
	}{
		"microsoft/resnet-50": {
			readHuggingFace, `{"crop_pct": 0.875, "do_normalize": true, "do_resize": true, "feature_extractor_type": "ConvNextFeatureExtractor",
				"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": 224}`,
			ok(floorCrop(imageNet(256, 224, imgvec.Bicubic))), "",
		},
		"google/vit-base-patch16-224": {
			readHuggingFace, `{"do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": 224,
				"image_processor_type": "ViTFeatureExtractor"}`,
			ok(squash(floorCrop(centerCrop(0, 224, imgvec.Bilinear, half, half)))), "",
		},
		"openai/clip-vit-base-patch32": {
			readHuggingFace, `{"crop_size": 224, "do_center_crop": true, "do_normalize": true, "do_resize": true, "feature_extractor_type": "CLIPFeatureExtractor",
				"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "size": 224}`,
			ok(floorCrop(centerCrop(224, 224, imgvec.Bicubic, openAIMean, openAIStd))), "",
		},
		"facebook/dinov2-base": {
			readHuggingFace, `{"crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "do_convert_rgb": true, "do_normalize": true, "do_rescale": true,
				"do_resize": true, "image_mean": [0.485, 0.456, 0.406], "image_processor_type": "BitImageProcessor", "image_std": [0.229, 0.224, 0.225],
				"resample": 3, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 256}}`,
			ok(floorCrop(imageNet(256, 224, imgvec.Bicubic))), "",
		},
		"google/siglip-base-patch16-224": {
			readHuggingFace, `{"do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor",
				"image_std": [0.5, 0.5, 0.5], "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}}`,
			ok(squash(floorCrop(centerCrop(0, 224, imgvec.Bicubic, half, half)))), "",
		},
		"convnext 384 squashes": {
			readHuggingFace, `{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, "resample": 3}`,
			ok(squash(floorCrop(imageNet(0, 384, imgvec.Bicubic)))), "",
		},
		"fast class, no normalisation": {
			readHuggingFace, `{"image_processor_type": "CLIPImageProcessorFast", "do_normalize": false, "do_rescale": false}`,
			func() *imgvec.Preset {
				p := floorCrop(centerCrop(224, 224, imgvec.Bicubic, [3]float32{}, [3]float32{1, 1, 1}))
				p.Scale = 1
				return &p
			}(), "",
		},
		"unknown class":       {readHuggingFace, `{"image_processor_type": "EfficientNetImageProcessor", "size": 224}`, nil, `"EfficientNetImageProcessor" is not known`},
		"no class":            {readHuggingFace, `{"size": 224}`, nil, "names no image_processor_type"},
		"no resize":           {readHuggingFace, `{"image_processor_type": "ViTImageProcessor", "do_resize": false}`, nil, "do_resize"},
		"no crop":             {readHuggingFace, `{"image_processor_type": "CLIPImageProcessor", "do_center_crop": false}`, nil, "do not make pictures of one size"},
		"longest edge":        {readHuggingFace, `{"image_processor_type": "CLIPImageProcessor", "size": {"longest_edge": 224}}`, nil, "longest edge"},
		"offset":              {readHuggingFace, `{"image_processor_type": "ViTImageProcessor", "rescale_offset": true}`, nil, "rescale_offset"},
		"unknown filter":      {readHuggingFace, `{"image_processor_type": "ViTImageProcessor", "resample": 9}`, nil, "resample 9"},
		"odd factor":          {readHuggingFace, `{"image_processor_type": "ViTImageProcessor", "rescale_factor": 0.0078431}`, nil, "rescale_factor"},
		"timm resnet50.a1":    {readTimm, `{"architecture": "resnet50", "pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}`, ok(imageNet(235, 224, imgvec.Bicubic)), ""},
		"timm squash":         {readTimm, `{"pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "squash", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}`, ok(squash(centerCrop(0, 224, imgvec.Bicubic, half, half))), ""},
		"timm border":         {readTimm, `{"pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "border", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}`, nil, `crop_mode "border"`},
		"a transformers file": {readTimm, `{"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}`, nil, ""},
		"open_clip":           {readOpenCLIP, `{"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 224}}, "preprocess_cfg": {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}}`, ok(centerCrop(224, 224, imgvec.Bicubic, openAIMean, openAIStd)), ""},
		"open_clip squash":    {readOpenCLIP, `{"model_cfg": {}, "preprocess_cfg": {"size": 384, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear", "resize_mode": "squash"}}`, ok(squash(centerCrop(0, 384, imgvec.Bilinear, half, half))), ""},
		"open_clip longest":   {readOpenCLIP, `{"preprocess_cfg": {"size": 224, "resize_mode": "longest"}}`, nil, `resize_mode "longest"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, found, err := c.read([]byte(c.text))
			switch {
			case c.err != "":
				errorWith(t, err, c.err)
			case err != nil || found != (c.want != nil):
				t.Errorf("found %v, %v", found, err)
			case found:
				if diff := cmp.Diff(*c.want, got); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				if err := got.Check(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func FuzzPresetFiles(f *testing.F) {
	f.Add([]byte(`{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 256}, "crop_size": [224, 224]}`))
	f.Add([]byte(`{"pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": "bicubic", "mean": [0,0,0], "std": [1,1,1]}}`))
	f.Add([]byte(`{"preprocess_cfg": {"size": [224, 224]}}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		for _, r := range besideReaders {
			if p, ok, err := r.read(text); ok && err == nil {
				_ = p.Check()
			}
		}
	})
}
