package graph

import (
	"fmt"
	"strings"
)

// convnextNames are the names of one library's ConvNeXt and what else differs with them. The builder's own names are
// timm's.
type convnextNames struct {
	of          naming
	mark        string  // a tensor that only this naming has
	headEpsilon float64 // of the last layer norm
}

// convnextNamings lists the namings that are read.
var convnextNamings = []convnextNames{
	{nil, "stem.0.weight", convnextEpsilon},
	{convnextTorchvision, "features.0.0.weight", convnextEpsilon},
	{convnextAuthors, "downsample_layers.0.0.weight", convnextEpsilon},
	huggingFaceConvNeXt("convnext."), huggingFaceConvNeXt("convnextv2."), huggingFaceConvNeXt(""),
}

// huggingFaceConvNeXt reads models with a head, which have a prefix, and without. The epsilon is ConvNextConfig's
// layer_norm_eps, which only the last layer norm goes by.
func huggingFaceConvNeXt(prefix string) convnextNames {
	of := func(own string) string { return convnextHuggingFace(prefix, own) }
	return convnextNames{of, prefix + "embeddings.patch_embeddings.weight", 1e-12}
}

// convnextNaming finds out whose names a checkpoint has; the builder's where nobody's.
func convnextNaming(src Source) convnextNames {
	for _, names := range convnextNamings {
		if has(src, names.mark) {
			return names
		}
	}
	return convnextNamings[0]
}

// convnextPart is a tensor's name in the builder's terms, taken apart.
type convnextPart struct {
	module       string // "stem.0", "downsample.0", "conv_dw", "norm", "mlp.fc1", "mlp.fc2", "mlp.grn", "gamma", "head.norm", "head.fc"
	stage, block int
	tail         string // "weight", "bias"; empty for the layer scale
}

func convnextPartOf(own string) convnextPart {
	var p convnextPart
	rest := own
	switch {
	case strings.HasPrefix(own, "stages."):
		var after string
		if n, _ := fmt.Sscanf(own, "stages.%d.blocks.%d.%s", &p.stage, &p.block, &after); n == 3 {
			rest = after
		} else if n, _ := fmt.Sscanf(own, "stages.%d.%s", &p.stage, &after); n == 2 {
			rest = after
		}
	case own == "norm_pre.weight", own == "norm_pre.bias":
		return convnextPart{module: "norm_pre", tail: strings.TrimPrefix(own, "norm_pre.")}
	}
	if rest == "gamma" {
		p.module = rest
		return p
	}
	at := strings.LastIndexByte(rest, '.')
	p.module, p.tail = rest[:at], rest[at+1:]
	return p
}

// convnextTorchvision is after torchvision/models/convnext.py: stages and downsamplings alternate in one sequence.
func convnextTorchvision(own string) string {
	p := convnextPartOf(own)
	block := fmt.Sprintf("features.%d.%d.", 2*p.stage+1, p.block)
	inBlock := map[string]string{"conv_dw": "block.0.", "norm": "block.2.", "mlp.fc1": "block.3.", "mlp.fc2": "block.5.", "gamma": "layer_scale"}
	outside := map[string]string{"stem.0": "features.0.0.", "stem.1": "features.0.1.", "head.norm": "classifier.0.", "head.fc": "classifier.2."}
	if name, ok := inBlock[p.module]; ok {
		return block + name + p.tail
	}
	if name, ok := outside[p.module]; ok {
		return name + p.tail
	}
	if index, ok := strings.CutPrefix(p.module, "downsample."); ok {
		return fmt.Sprintf("features.%d.%s.%s", 2*p.stage, index, p.tail)
	}
	return own // torchvision has nothing of the kind
}

// convnextHuggingFace is after transformers' modeling_convnext.py and modeling_convnextv2.py.
func convnextHuggingFace(prefix, own string) string {
	p := convnextPartOf(own)
	block := fmt.Sprintf("%sencoder.stages.%d.layers.%d.", prefix, p.stage, p.block)
	inBlock := map[string]string{"conv_dw": "dwconv.", "norm": "layernorm.", "mlp.fc1": "pwconv1.", "mlp.fc2": "pwconv2.", "mlp.grn": "grn.",
		"gamma": "layer_scale_parameter"}
	outside := map[string]string{"stem.0": prefix + "embeddings.patch_embeddings.", "stem.1": prefix + "embeddings.layernorm.",
		"head.norm": prefix + "layernorm.", "head.fc": "classifier."}
	if name, ok := inBlock[p.module]; ok {
		return block + name + p.tail
	}
	if name, ok := outside[p.module]; ok {
		return name + p.tail
	}
	if index, ok := strings.CutPrefix(p.module, "downsample."); ok {
		return fmt.Sprintf("%sencoder.stages.%d.downsampling_layer.%s.%s", prefix, p.stage, index, p.tail)
	}
	return own
}

// convnextAuthors is after models/convnext.py and convnextv2.py of the papers' authors.
func convnextAuthors(own string) string {
	p := convnextPartOf(own)
	block := fmt.Sprintf("stages.%d.%d.", p.stage, p.block)
	switch p.module {
	case "conv_dw":
		return block + "dwconv." + p.tail
	case "norm":
		return block + "norm." + p.tail
	case "mlp.fc1", "mlp.fc2":
		return block + "pwconv" + strings.TrimPrefix(p.module, "mlp.fc") + "." + p.tail
	case "mlp.grn":
		return block + "grn." + map[string]string{"weight": "gamma", "bias": "beta"}[p.tail]
	case "gamma":
		return block + "gamma"
	case "head.norm", "head.fc":
		return map[string]string{"head.norm": "norm.", "head.fc": "head."}[p.module] + p.tail
	}
	if index, ok := strings.CutPrefix(p.module, "stem."); ok {
		return "downsample_layers.0." + index + "." + p.tail
	}
	if index, ok := strings.CutPrefix(p.module, "downsample."); ok {
		return fmt.Sprintf("downsample_layers.%d.%s.%s", p.stage, index, p.tail)
	}
	return own
}
