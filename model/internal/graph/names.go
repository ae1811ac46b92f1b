package graph

import (
	"fmt"
	"strings"
)

// TorchvisionNames gives a Hugging Face ResNet's tensors the names that torchvision uses. names that are not Hugging
// Face's stay as they are.
func TorchvisionNames(names []string) map[string]string {
	renamed := make(map[string]string, len(names))
	for _, name := range names {
		renamed[name] = torchvisionName(name)
	}
	return renamed
}

func torchvisionName(name string) string {
	bare := strings.TrimPrefix(name, "resnet.")
	if rest, ok := strings.CutPrefix(bare, "embedder.embedder."); ok {
		return convOrNorm(rest, "conv1", "bn1", name)
	}
	if rest, ok := strings.CutPrefix(bare, "classifier.1."); ok {
		return "fc." + rest
	}
	var stage, block, layer int
	if n, _ := fmt.Sscanf(bare, "encoder.stages.%d.layers.%d.layer.%d.", &stage, &block, &layer); n == 3 {
		prefix := fmt.Sprintf("encoder.stages.%d.layers.%d.layer.%d.", stage, block, layer)
		at := fmt.Sprintf("layer%d.%d.", stage+1, block)
		return convOrNorm(strings.TrimPrefix(bare, prefix), fmt.Sprintf("%sconv%d", at, layer+1), fmt.Sprintf("%sbn%d", at, layer+1), name)
	}
	if n, _ := fmt.Sscanf(bare, "encoder.stages.%d.layers.%d.shortcut.", &stage, &block); n == 2 {
		prefix := fmt.Sprintf("encoder.stages.%d.layers.%d.shortcut.", stage, block)
		at := fmt.Sprintf("layer%d.%d.downsample.", stage+1, block)
		return convOrNorm(strings.TrimPrefix(bare, prefix), at+"0", at+"1", name)
	}
	return name
}

// convOrNorm maps "convolution.weight" and "normalization.weight"; name is the answer for anything else.
func convOrNorm(rest, conv, norm, name string) string {
	if tail, ok := strings.CutPrefix(rest, "convolution."); ok {
		return conv + "." + tail
	}
	if tail, ok := strings.CutPrefix(rest, "normalization."); ok {
		return norm + "." + tail
	}
	return name
}
