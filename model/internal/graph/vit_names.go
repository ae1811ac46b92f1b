package graph

import (
	"fmt"
	"strings"
)

// vitKeys says under which names a naming keeps the tensors of a Vision Transformer. A name ends where "weight" or
// "bias" follows. Alternatives are split by "|": the first that the checkpoint has is meant. Tensors that a naming
// keeps apart and the builder wants as one are joined by "+".
type vitKeys struct {
	naming   string   // for people
	families []string // what comes under it
	prefixes []string // that all names but head and projection may have
	epsilon  float64  // of the layer norms, where no configuration says otherwise

	patch, class, position, registers    string
	preNorm, norm, poolNorm              string
	block                                string // with the block's number
	norm1, qkv, out, norm2, fc1, fc2     string // within a block
	scale1, scale2                       string // layer scale, whole names within a block
	probe, poolQKV, poolOut, poolMLPNorm string // of a pooling by attention
	poolFC1, poolFC2                     string
	head, projection                     string
	spare                                []string // beginnings of names that the image tower does not need
	ignored                              []string // the same, of names without the prefix
}

// vitNamings are the namings that are known, each told by its patch projection.
var vitNamings = []vitKeys{
	{
		naming: "torchvision", families: []string{"vit"}, prefixes: []string{""}, epsilon: 1e-6,
		patch: "conv_proj.", class: "class_token", position: "encoder.pos_embedding", norm: "encoder.ln.",
		block: "encoder.layers.encoder_layer_%d.", norm1: "ln_1.", qkv: "self_attention.in_proj_", out: "self_attention.out_proj.",
		norm2: "ln_2.", fc1: "mlp.0.|mlp.linear_1.", fc2: "mlp.3.|mlp.linear_2.", head: "heads.head.",
	},
	{ // timm, which DINOv2's own names are like; open_clip keeps timm's models below visual.trunk
		naming: "timm or DINOv2", families: []string{"vit", "dinov2", "clip", "siglip"}, prefixes: []string{"", "visual.trunk."}, epsilon: 1e-6,
		patch: "patch_embed.proj.", class: "cls_token", position: "pos_embed", registers: "reg_token|register_tokens",
		preNorm: "norm_pre.", norm: "norm.", poolNorm: "fc_norm.",
		block: "blocks.%d.", norm1: "norm1.", qkv: "attn.qkv.", out: "attn.proj.", norm2: "norm2.", scale1: "ls1.gamma", scale2: "ls2.gamma",
		fc1: "mlp.fc1.|mlp.w12.", fc2: "mlp.fc2.|mlp.w3.",
		probe: "attn_pool.latent", poolQKV: "attn_pool.q.+attn_pool.kv.", poolOut: "attn_pool.proj.", poolMLPNorm: "attn_pool.norm.",
		poolFC1: "attn_pool.mlp.fc1.", poolFC2: "attn_pool.mlp.fc2.", head: "head.", projection: "head.",
		spare: []string{"mask_token"}, ignored: []string{"text.", "logit_scale", "logit_bias"},
	},
	{
		naming: "Hugging Face ViT or DINOv2", families: []string{"vit", "dinov2"},
		prefixes: []string{"", "vit.", "dinov2.", "dinov2_with_registers."}, epsilon: 1e-12,
		patch: "embeddings.patch_embeddings.projection.", class: "embeddings.cls_token", position: "embeddings.position_embeddings",
		registers: "embeddings.register_tokens", norm: "layernorm.", block: "encoder.layer.%d.|layers.%d.",
		norm1: "layernorm_before.|norm1.", norm2: "layernorm_after.|norm2.", scale1: "layer_scale1.lambda1", scale2: "layer_scale2.lambda1",
		qkv: "attention.attention.query.+attention.attention.key.+attention.attention.value.|attention.q_proj.+attention.k_proj.+attention.v_proj.",
		out: "attention.output.dense.|attention.o_proj.",
		fc1: "intermediate.dense.|mlp.fc1.|mlp.weights_in.|mlp.gate_proj.+mlp.up_proj.", fc2: "output.dense.|mlp.fc2.|mlp.weights_out.|mlp.down_proj.",
		head: "classifier.", spare: []string{"embeddings.mask_token", "pooler.dense."},
	},
	{
		naming: "Hugging Face CLIP or SigLIP", families: []string{"clip", "siglip"}, prefixes: []string{"", "vision_model."}, epsilon: 1e-5,
		patch: "embeddings.patch_embedding.", class: "embeddings.class_embedding", position: "embeddings.position_embedding.weight",
		preNorm: "pre_layrnorm.", norm: "post_layernorm.", block: "encoder.layers.%d.", norm1: "layer_norm1.", norm2: "layer_norm2.",
		qkv: "self_attn.q_proj.+self_attn.k_proj.+self_attn.v_proj.", out: "self_attn.out_proj.", fc1: "mlp.fc1.", fc2: "mlp.fc2.",
		probe: "head.probe", poolQKV: "head.attention.in_proj_", poolOut: "head.attention.out_proj.", poolMLPNorm: "head.layernorm.",
		poolFC1: "head.mlp.fc1.", poolFC2: "head.mlp.fc2.", projection: "visual_projection.",
		spare: []string{"embeddings.position_ids"}, ignored: []string{"text_model.", "text_projection.", "logit_scale", "logit_bias"},
	},
	{
		naming: "OpenAI CLIP or open_clip", families: []string{"clip"}, prefixes: []string{"visual."}, epsilon: 1e-5,
		patch: "conv1.", class: "class_embedding", position: "positional_embedding", preNorm: "ln_pre.", norm: "ln_post.",
		block: "transformer.resblocks.%d.", norm1: "ln_1.", qkv: "attn.in_proj_", out: "attn.out_proj.", norm2: "ln_2.",
		scale1: "ls_1.gamma", scale2: "ls_2.gamma", fc1: "mlp.c_fc.", fc2: "mlp.c_proj.", projection: "visual.proj",
		ignored: []string{
			"transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection", "text.", "attn_mask",
			"logit_scale", "logit_bias", "input_resolution", "context_length", "vocab_size",
		},
	},
}

// vitNaming finds the naming of a checkpoint, with its alternatives decided. A [Generator] has the first of the family.
func vitNaming(family string, src Source) (k vitKeys, ok bool) {
	_, generated := src.(Generator)
	for _, k := range vitNamings {
		if !contains(k.families, family) {
			continue
		}
		for _, prefix := range k.prefixes {
			if generated || has(src, prefix+k.patch+"weight") {
				return k.resolve(prefix, src), true
			}
		}
	}
	return vitKeys{}, false
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if w == word || word == "" {
			return true
		}
	}
	return false
}

// vitMarkers says what would have begun a checkpoint of a family.
func vitMarkers(family string) []string {
	var names []string
	for _, k := range vitNamings {
		if contains(k.families, family) {
			names = append(names, fmt.Sprintf("%s (%s)", k.prefixes[0]+k.patch+"weight", k.naming))
		}
	}
	return names
}

// resolve decides between alternatives by the tensors of block 0, and puts the prefix before every name.
func (k vitKeys) resolve(prefix string, src Source) vitKeys {
	choose := func(before, alternatives string) string {
		options := strings.Split(alternatives, "|")
		for _, option := range options {
			first, _, _ := strings.Cut(option, "+")
			if hasPrefix(src, before+strings.ReplaceAll(first, "%d", "0")) {
				return option
			}
		}
		return options[0]
	}
	k.block = prefix + choose(prefix, k.block)
	first := strings.ReplaceAll(k.block, "%d", "0")
	for _, name := range []*string{&k.norm1, &k.qkv, &k.out, &k.norm2, &k.fc1, &k.fc2} {
		*name = choose(first, *name)
	}
	whole := []*string{
		&k.patch, &k.class, &k.position, &k.registers, &k.preNorm, &k.norm, &k.poolNorm,
		&k.probe, &k.poolOut, &k.poolMLPNorm, &k.poolFC1, &k.poolFC2,
	}
	for _, name := range whole {
		if *name != "" {
			*name = prefix + choose(prefix, *name)
		}
	}
	parts := strings.Split(k.poolQKV, "+")
	k.poolQKV = prefix + strings.Join(parts, "+"+prefix)
	if prefix == "visual.trunk." {
		k.head, k.projection = "", ""
	}
	k.prefixes = []string{prefix}
	return k
}

func hasPrefix(src Source, prefix string) bool {
	for _, name := range src.Names() {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// passOver marks the tensors that come with the family and that the image tower does not need.
func (k vitKeys) passOver(l *loader) {
	for _, name := range l.src.Names() {
		for _, beginning := range k.spare {
			if strings.HasPrefix(name, k.prefixes[0]+beginning) {
				l.used[name] = true
			}
		}
		for _, beginning := range k.ignored {
			if strings.HasPrefix(name, beginning) {
				l.used[name] = true
			}
		}
	}
}
