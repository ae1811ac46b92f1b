package model

import "github.com/imgvec/imgvec"

// centerCrop is torchvision's way: short side to resize, centre crop.
func centerCrop(resize, crop int, filter imgvec.Interpolation, mean, std [3]float32) imgvec.Preset {
	return imgvec.Preset{
		InputSize: imgvec.Size{Height: crop, Width: crop}, CropMode: imgvec.CropCenter, ResizeSize: resize,
		CropRound: imgvec.CropHalfEven, Interpolation: filter, Scale: 255, Mean: mean, Std: std, ChannelOrder: imgvec.RGB,
	}
}

func imageNet(resize, crop int, filter imgvec.Interpolation) imgvec.Preset {
	return centerCrop(resize, crop, filter, imgvec.ImageNetMean, imgvec.ImageNetStd)
}

// litePreset is the normalisation of TensorFlow's Lite models, (pixel - 127) / 128.
func litePreset(resize, crop int) imgvec.Preset {
	mean, std := float32(127.0/255), float32(128.0/255)
	return centerCrop(resize, crop, imgvec.Bicubic, [3]float32{mean, mean, mean}, [3]float32{std, std, std})
}

// floorCrop is Hugging Face's rounding of the crop's margin.
func floorCrop(p imgvec.Preset) imgvec.Preset {
	p.CropRound = imgvec.CropFloor
	return p
}

// The common normalisations besides ImageNet's.
var (
	openAIMean = clipMean.float32()
	openAIStd  = clipStd.float32()
	half       = halves.float32()
)
