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
			ok(squash(floorCrop(centerCrop(0, 384, imgvec.Bicubic, half, half)))), "",
		},
		"facebook/deit": {
			readHuggingFace, `{"crop_size": 224, "do_center_crop": true, "feature_extractor_type": "DeiTFeatureExtractor", "resample": 3, "size": 256}`,
			func() *imgvec.Preset {
				p := squash(floorCrop(centerCrop(0, 224, imgvec.Bicubic, half, half)))
				p.ResizeTo = imgvec.Size{Height: 256, Width: 256}
				return &p
			}(), "",
		},
		"google/efficientnet-b0": {
			readHuggingFace, `{"image_processor_type": "EfficientNetImageProcessor", "size": {"height": 224, "width": 224}, "resample": 0, "image_mean": [0.485, 0.456, 0.406],
				"image_std": [0.47853944, 0.4732864, 0.47434163], "include_top": true, "rescale_offset": false}`,
			func() *imgvec.Preset {
				std := [3]float32{0.47853944, 0.4732864, 0.47434163}
				p := squash(floorCrop(centerCrop(0, 224, imgvec.Nearest, imgvec.ImageNetMean, std)))
				p.StdAgain = std
				return &p
			}(), "",
		},
		"align: rescaled to -1..1": {
			readHuggingFace, `{"image_processor_type": "EfficientNetImageProcessor", "resample": 2, "size": 346, "crop_size": 289, "do_center_crop": true,
				"rescale_factor": 0.00784313725490196, "rescale_offset": true, "do_normalize": false, "include_top": false}`,
			func() *imgvec.Preset {
				p := squash(floorCrop(centerCrop(0, 289, imgvec.Bilinear, [3]float32{}, [3]float32{1, 1, 1})))
				p.ResizeTo = imgvec.Size{Height: 346, Width: 346}
				p.Scale, p.Factor, p.Offset = 0, 1/127.5, -1
				return &p
			}(), "",
		},
		"facebook/dinov3": {
			readHuggingFace, `{"image_processor_type": "DINOv3ViTImageProcessorFast", "resample": 2, "size": {"height": 224, "width": 224}, "crop_size": null, "do_center_crop": null}`,
			func() *imgvec.Preset {
				p := squash(floorCrop(imageNet(0, 224, imgvec.Bilinear)))
				p.Domain = imgvec.DomainFloat
				return &p
			}(), "",
		},
		"cropped, not resized": {
			readHuggingFace, `{"image_processor_type": "CLIPImageProcessor", "do_resize": false, "crop_size": {"height": 97, "width": 144}}`,
			func() *imgvec.Preset {
				p := floorCrop(centerCrop(0, 0, imgvec.Bicubic, openAIMean, openAIStd))
				p.CropMode, p.InputSize = imgvec.CropOnly, imgvec.Size{Height: 97, Width: 144}
				return &p
			}(), "",
		},
		"nested": {
			readHuggingFaceNested, `{"image_processor": {"image_processor_type": "CLIPImageProcessor"}, "processor_class": "CLIPProcessor"}`,
			ok(floorCrop(centerCrop(224, 224, imgvec.Bicubic, openAIMean, openAIStd))), "",
		},
		"not nested": {readHuggingFaceNested, `{"processor_class": "CLIPProcessor"}`, nil, ""},
		"fast class, no normalisation": {
			readHuggingFace, `{"image_processor_type": "CLIPImageProcessorFast", "do_normalize": false, "do_rescale": false}`,
			func() *imgvec.Preset {
				p := floorCrop(centerCrop(224, 224, imgvec.Bicubic, [3]float32{}, [3]float32{1, 1, 1}))
				p.Scale = 1
				return &p
			}(), "",
		},
		"unknown class":     {readHuggingFace, `{"image_processor_type": "Siglip2ImageProcessor", "size": 224}`, nil, `"Siglip2ImageProcessor" is not known`},
		"no class":          {readHuggingFace, `{"size": 224}`, nil, "names no image_processor_type"},
		"no resize":         {readHuggingFace, `{"image_processor_type": "ViTImageProcessor", "do_resize": false}`, nil, "do_resize"},
		"no crop":           {readHuggingFace, `{"image_processor_type": "CLIPImageProcessor", "do_center_crop": false}`, nil, "do not make pictures of one size"},
		"longest edge":      {readHuggingFace, `{"image_processor_type": "CLIPImageProcessor", "size": {"longest_edge": 224}}`, nil, "longest_edge"},
		"offset":            {readHuggingFace, `{"image_processor_type": "ViTImageProcessor", "rescale_offset": true}`, nil, "rescale_offset"},
		"unknown filter":    {readHuggingFace, `{"image_processor_type": "ViTImageProcessor", "resample": 9}`, nil, "resample 9"},
		"unsettled default": {readHuggingFace, `{"image_processor_type": "BeitImageProcessor", "size": 224}`, nil, "do_center_crop is missing"},
		"unsettled offset":  {readHuggingFace, `{"image_processor_type": "EfficientNetImageProcessor", "resample": 2, "rescale_offset": true}`, nil, "rescale_offset with"},
		"null":              {readHuggingFace, `{"image_processor_type": "CLIPImageProcessor", "size": null}`, nil, "size is null"},
		"padded":            {readHuggingFace, `{"image_processor_type": "ViTImageProcessor", "do_pad": true}`, nil, "do_pad is true"},
		"float bicubic":     {readHuggingFace, `{"image_processor_type": "DINOv3ViTImageProcessor", "resample": 3}`, nil, "resample 3"},
		"timm resnet50.a1":  {readTimm, `{"architecture": "resnet50", "pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}`, ok(imageNet(235, 224, imgvec.Bicubic)), ""},
		"timm squash":       {readTimm, `{"pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "squash", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}`, ok(squash(centerCrop(0, 224, imgvec.Bicubic, half, half))), ""},
		"timm border": {
			readTimm, `{"pretrained_cfg": {"input_size": [3, 224, 192], "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "border", "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.5, 0.5]}}`,
			func() *imgvec.Preset {
				p := centerCrop(0, 224, imgvec.Bicubic, [3]float32{0.5, 0.4, 0.3}, half)
				p.CropMode, p.InputSize, p.ResizeTo = imgvec.CropBorder, imgvec.Size{Height: 224, Width: 192}, imgvec.Size{Height: 248, Width: 213}
				p.Fill = [3]uint8{128, 102, 76} // Python's round(127.5), round(102.0), round(76.5)
				return &p
			}(), "",
		},
		"timm at its test size": {readTimmTest, `{"pretrained_cfg": {"input_size": [3, 224, 224], "test_input_size": [3, 288, 288], "crop_pct": 0.95, "test_crop_pct": 1.0}}`, ok(imageNet(288, 288, imgvec.Bicubic)), ""},
		"timm of old":           {readTimm, `{"architecture": "resnet50", "input_size": [3, 224, 224], "crop_pct": 0.95}`, ok(imageNet(235, 224, imgvec.Bicubic)), ""},
		"a transformers file":   {readTimm, `{"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}`, nil, ""},
		"open_clip":             {readOpenCLIP, `{"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 224}}, "preprocess_cfg": {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}}`, ok(centerCrop(224, 224, imgvec.Bicubic, openAIMean, openAIStd)), ""},
		"open_clip squash":      {readOpenCLIP, `{"model_cfg": {}, "preprocess_cfg": {"size": 384, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear", "resize_mode": "squash"}}`, ok(squash(centerCrop(0, 384, imgvec.Bilinear, half, half))), ""},
		"open_clip longest": {
			readOpenCLIP, `{"preprocess_cfg": {"size": 224, "resize_mode": "longest", "fill_color": 9}}`,
			func() *imgvec.Preset {
				p := centerCrop(0, 224, imgvec.Bicubic, openAIMean, openAIStd)
				p.CropMode, p.Fill = imgvec.CropBorder, [3]uint8{9, 9, 9}
				return &p
			}(), "",
		},
		"open_clip contradicts itself": {readOpenCLIP, `{"model_cfg": {"vision_cfg": {"image_size": 336}}, "preprocess_cfg": {"size": 224}}`, nil, "contradicts"},
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
	f.Add([]byte(`{"image_processor": {"image_processor_type": "PoolFormerImageProcessor", "crop_pct": 1e-9, "size": {"height": 1e6, "width": 7}, "rescale_factor": -1e300}}`))
	f.Add([]byte(`{"architecture": "a", "input_size": [3, 9, 10], "crop_mode": "border", "mean": 1e9, "model_args": {"img_size": 4}, "fixed_input_size": true}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		for _, r := range besideReaders {
			if p, ok, err := r.read(text); ok && err == nil {
				_ = p.Check()
				_ = p.String()
			}
		}
		if p, ok, err := readTimmTest(text); ok && err == nil {
			_ = p.Check()
		}
	})
}
