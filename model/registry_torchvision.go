package model

import (
	"strings"

	"github.com/imgvec/imgvec"
)

const (
	torchvisionLicense = "BSD-3-Clause (torchvision); trained on ImageNet-1k, whose terms may apply to the weights"
	swagLicense        = "CC-BY-NC-4.0 (SWAG: https://github.com/facebookresearch/SWAG/blob/main/LICENSE), not for commercial use"
	torchHub           = "https://download.pytorch.org/models/"
)

// hubNote says how well a file of PyTorch's hub is pinned.
const hubNote = "first 8 digits, from the file's name"

// torchvisionRow is one set of weights of torchvision: names, file and sizes as torchvision 0.29.2 has them. A test
// compares the rows with what testdata/torchvision_weights.py wrote.
type torchvisionRow struct {
	name, arch, weights, file string
	dim, mib                  int // features an image; the file's size in units of 2^20 bytes
	preset                    imgvec.Preset
}

var torchvisionRows = []torchvisionRow{
	{"resnet50", "resnet50", "IMAGENET1K_V1", "resnet50-0676ba61.pth", 2048, 98, imageNet(256, 224, imgvec.Bilinear)},
	{"resnet50-v2", "resnet50", "IMAGENET1K_V2", "resnet50-11ad3fa6.pth", 2048, 98, imageNet(232, 224, imgvec.Bilinear)},
	{"resnet18", "resnet18", "IMAGENET1K_V1", "resnet18-f37072fd.pth", 512, 45, imageNet(256, 224, imgvec.Bilinear)},
	{"resnet34", "resnet34", "IMAGENET1K_V1", "resnet34-b627a593.pth", 512, 83, imageNet(256, 224, imgvec.Bilinear)},
	{"resnet101", "resnet101", "IMAGENET1K_V1", "resnet101-63fe2227.pth", 2048, 171, imageNet(256, 224, imgvec.Bilinear)},
	{"resnet101-v2", "resnet101", "IMAGENET1K_V2", "resnet101-cd907fc2.pth", 2048, 171, imageNet(232, 224, imgvec.Bilinear)},
	{"resnet152", "resnet152", "IMAGENET1K_V1", "resnet152-394f9c45.pth", 2048, 230, imageNet(256, 224, imgvec.Bilinear)},
	{"resnet152-v2", "resnet152", "IMAGENET1K_V2", "resnet152-f82ba261.pth", 2048, 230, imageNet(232, 224, imgvec.Bilinear)},
	{"convnext-tiny", "convnext-tiny", "IMAGENET1K_V1", "convnext_tiny-983f1562.pth", 768, 109, imageNet(236, 224, imgvec.Bilinear)},
	{"convnext-small", "convnext-small", "IMAGENET1K_V1", "convnext_small-0c510722.pth", 768, 192, imageNet(230, 224, imgvec.Bilinear)},
	{"convnext-base", "convnext-base", "IMAGENET1K_V1", "convnext_base-6075fbad.pth", 1024, 338, imageNet(232, 224, imgvec.Bilinear)},
	{"convnext-large", "convnext-large", "IMAGENET1K_V1", "convnext_large-ea097f82.pth", 1536, 755, imageNet(232, 224, imgvec.Bilinear)},
	{"vit-b16", "vit-b16", "IMAGENET1K_V1", "vit_b_16-c867db91.pth", 768, 330, imageNet(256, 224, imgvec.Bilinear)},
	{"vit-b16-swag", "vit-b16", "IMAGENET1K_SWAG_LINEAR_V1", "vit_b_16_lc_swag-4e70ced5.pth", 768, 330, imageNet(224, 224, imgvec.Bicubic)},
	{"vit-b16-swag-384", "vit-b16", "IMAGENET1K_SWAG_E2E_V1", "vit_b_16_swag-9ac1b537.pth", 768, 331, imageNet(384, 384, imgvec.Bicubic)},
	{"vit-b32", "vit-b32", "IMAGENET1K_V1", "vit_b_32-d86f8d99.pth", 768, 337, imageNet(256, 224, imgvec.Bilinear)},
	{"vit-l16", "vit-l16", "IMAGENET1K_V1", "vit_l_16-852ce7e3.pth", 1024, 1161, imageNet(242, 224, imgvec.Bilinear)},
	{"vit-l16-swag", "vit-l16", "IMAGENET1K_SWAG_LINEAR_V1", "vit_l_16_lc_swag-4d563306.pth", 1024, 1161, imageNet(224, 224, imgvec.Bicubic)},
	{"vit-l16-swag-512", "vit-l16", "IMAGENET1K_SWAG_E2E_V1", "vit_l_16_swag-4f3808c9.pth", 1024, 1164, imageNet(512, 512, imgvec.Bicubic)},
}

// entry is the row's entry of the registry; the first hex digits of a file's SHA-256 are in its name, and more of them
// is not published.
func (r torchvisionRow) entry() Entry {
	e := Entry{
		Name: r.name, Arch: r.arch, Description: archTitle(r.arch) + " of torchvision, " + r.weights,
		Source: torchHub + r.file, License: torchvisionLicense, Dim: r.dim, Preset: r.preset, WeightsFile: r.file,
		SHA256: hubHash(r.file), SHA256Note: hubNote, Bytes: int64(r.mib) << 20, url: torchHub + r.file,
	}
	if strings.Contains(r.weights, "SWAG") {
		e.License = swagLicense
	}
	return e
}

// torchvision is the entry for weights of PyTorch's hub.
func torchvision(name, arch, weights, file string, dim int, preset imgvec.Preset) Entry {
	return torchvisionRow{name, arch, weights, file, dim, 0, preset}.entry()
}

// archTitle is an architecture's name for people: ResNet-50, ConvNeXt-tiny, ViT-B/16.
func archTitle(arch string) string {
	for _, t := range []struct{ prefix, title string }{{"resnet", "ResNet-"}, {"convnext-", "ConvNeXt-"}, {"efficientnet-lite", "EfficientNet-Lite"}} {
		if rest, ok := strings.CutPrefix(arch, t.prefix); ok {
			return t.title + rest
		}
	}
	rest, ok := strings.CutPrefix(arch, "vit-")
	if !ok || len(rest) < 2 {
		return arch
	}
	return "ViT-" + strings.ToUpper(rest[:1]) + "/" + rest[1:]
}
