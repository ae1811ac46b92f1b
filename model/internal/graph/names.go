package graph

import (
	"fmt"
	"strings"
)

// naming gives the checkpoint's name of a tensor that a builder asks for by its own. Each family has one for each
// library whose checkpoints it reads; nil leaves names as they are.
type naming func(own string) string

// resnetNaming finds out whose names a ResNet's checkpoint has: torchvision's and timm's, which are the builder's, or
// Hugging Face's, with or without the prefix of a model with a head.
func resnetNaming(src Source) naming {
	for _, prefix := range []string{"resnet.", ""} {
		if has(src, prefix+"embedder.embedder.convolution.weight") {
			return func(own string) string { return huggingFaceResNet(prefix, own) }
		}
	}
	return nil
}

// huggingFaceResNet is the name that transformers' ResNetModel has for a tensor of torchvision's.
func huggingFaceResNet(prefix, own string) string {
	parts := strings.Split(own, ".")
	tail := parts[len(parts)-1]
	if parts[0] == "fc" {
		return "classifier.1." + tail
	}
	var stage, block, layer int
	if n, _ := fmt.Sscanf(own, "layer%d.%d.downsample.%d.", &stage, &block, &layer); n == 3 {
		kind := [2]string{"convolution", "normalization"}[min(layer, 1)]
		return fmt.Sprintf("%sencoder.stages.%d.layers.%d.shortcut.%s.%s", prefix, stage-1, block, kind, tail)
	}
	if n, _ := fmt.Sscanf(own, "layer%d.%d.conv%d.", &stage, &block, &layer); n == 3 {
		return fmt.Sprintf("%sencoder.stages.%d.layers.%d.layer.%d.convolution.%s", prefix, stage-1, block, layer-1, tail)
	}
	if n, _ := fmt.Sscanf(own, "layer%d.%d.bn%d.", &stage, &block, &layer); n == 3 {
		return fmt.Sprintf("%sencoder.stages.%d.layers.%d.layer.%d.normalization.%s", prefix, stage-1, block, layer-1, tail)
	}
	if parts[0] == "conv1" {
		return prefix + "embedder.embedder.convolution." + tail
	}
	return prefix + "embedder.embedder.normalization." + tail
}
