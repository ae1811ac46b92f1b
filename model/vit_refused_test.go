//go:build cgo

package model

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/model/internal/graph"
)

// changed is a golden checkpoint that a test may spoil.
func changed(t *testing.T, name string) *goldenViT {
	t.Helper()
	g := goldenViTs(t)[name]
	g.Tensors = maps.Clone(g.Tensors)
	return g
}

func (g *goldenViT) refused(t *testing.T, size int, words ...string) {
	t.Helper()
	_ = g.mismatch(t, size, words...) // the words are enough
}

func (g *goldenViT) mismatch(t *testing.T, size int, words ...string) *graph.MismatchError {
	t.Helper()
	_, err := graph.Build(g.Arch, size, g)
	if err == nil {
		t.Fatalf("%s was built, expected an error with %q", g.Arch, words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v, expected %q in it", err, word)
		}
	}
	var bad *graph.MismatchError
	errors.As(err, &bad)
	return bad
}

func TestSpoiledViTsAreRefusedWithTheList(t *testing.T) {
	for name, key := range map[string][4]string{ // missing, misshapen, unexpected, what is there for another use
		"vit-small-torchvision":             {"encoder.layers.encoder_layer_1.mlp.0.bias", "encoder.ln.weight", "encoder.layers.encoder_layer_2.ln_3.weight", ""},
		"vit-small-huggingface-classifier":  {"vit.encoder.layer.1.attention.attention.key.weight", "classifier.bias", "vit.pooler2.dense.weight", "vit.pooler.dense.weight"},
		"dinov2-small-official-42":          {"blocks.1.ls2.gamma", "norm.bias", "blocks.0.attn.q_norm.weight", "mask_token"},
		"clip-small-huggingface-quick_gelu": {"vision_model.pre_layrnorm.weight", "visual_projection.weight", "vision_model.head.probe", "text_model.encoder.w"},
		"clip-small-open-clip-quickgelu":    {"visual.transformer.resblocks.1.attn.in_proj_bias", "visual.ln_post.bias", "visual.transformer.extra", "transformer.resblocks.3.w"},
		"siglip-small-timm-gelu":            {"attn_pool.kv.weight", "attn_pool.mlp.fc2.bias", "attn_pool.pos_embed", ""},
		"siglip-small-open-clip":            {"visual.trunk.attn_pool.q.bias", "visual.trunk.pos_embed", "visual.head.proj.weight", "text.token_embedding.weight"},
		"dinov2-small-huggingface-swiglu":   {"encoder.layer.1.mlp.weights_in.bias", "encoder.layer.0.mlp.weights_out.bias", "encoder.layer.1.mlp.fc1.weight", ""},
		"dinov2-small-timm-registers-42":    {"reg_token", "cls_token", "dist_token", ""},
		"vit-small-timm-mean-registers":     {"fc_norm.bias", "head.weight", "norm.weight", ""},
		"siglip-small-huggingface":          {"head.attention.in_proj_bias", "head.probe", "head.mlp.fc3.weight", "embeddings.position_ids"},
		"dinov2-small-huggingface-98":       {"embeddings.cls_token", "layernorm.bias", "embeddings.position_bias", "pooler.dense.bias"},
	} {
		g := changed(t, name)
		if key[3] != "" {
			g.Tensors[key[3]] = goldenTensor{shape: []int64{3}}
		}
		if _, err := graph.Build(g.Arch, g.Side, g); err != nil {
			t.Errorf("%s with %s: %v", name, key[3], err)
		}
		g.Tensors[key[2]] = goldenTensor{shape: []int64{2, 2}}
		t.Run(name, func(t *testing.T) {
			if bad := g.mismatch(t, g.Side, key[2]); bad != nil && (!slices.Equal(bad.Unexpected, []string{key[2]}) || len(bad.Missing)+len(bad.Misshapen) > 0) {
				t.Errorf("%+v", bad)
			}
			delete(g.Tensors, key[2])
			was := g.Tensors[key[1]]
			g.Tensors[key[1]] = goldenTensor{shape: append([]int64{5}, was.shape...)}
			g.refused(t, g.Side, key[1])
			g.Tensors[key[1]] = was
			delete(g.Tensors, key[0])
			g.refused(t, g.Side, key[0])
		})
	}
}

func TestViTsWhoseNumbersCannotBeToldAreRefused(t *testing.T) {
	g := changed(t, "vit-small-torchvision")
	g.refused(t, 48, "trained on pictures of 32 pixels", "gives 48")
	g.config.Heads = 3
	g.refused(t, 32, "3 attention heads do not divide the width 32")
	g.config.Heads = 0
	g.refused(t, 32, "how many attention heads", "config.json")
	g.Arch = "dinov2"
	g.refused(t, 32, "patch_embed.proj.weight", "embeddings.patch_embeddings.projection.weight")
	g.Arch = "vit-b16"
	g.refused(t, 32, "misshapen", "conv_proj.weight: [32 3 8 8], expected [768 3 16 16]")

	g = changed(t, "clip-small-huggingface-gelu")
	g.config.Activation = ""
	g.refused(t, 32, "which activation", "clip-vit-b32-gelu", "open_clip_config.json")
	g.config.Activation = "relu"
	g.refused(t, 32, `"relu"`)

	published := &goldenViT{Arch: "clip-vit-b32", Tensors: map[string]goldenTensor{}, config: graph.Config{Activation: "gelu"}}
	published.Tensors["visual.conv1.weight"] = goldenTensor{shape: []int64{768, 3, 32, 32}}
	published.Tensors["visual.positional_embedding"] = goldenTensor{shape: []int64{50, 768}}
	published.refused(t, 224, "clip-vit-b32 has the activation quick_gelu", "says gelu")
	published.config.Activation = ""
	published.refused(t, 224, "138 missing", "visual.class_embedding", "visual.ln_pre.weight", "more")

	g = changed(t, "dinov2-small-huggingface-registers-42")
	g.config.Registers = 4
	delete(g.Tensors, "embeddings.register_tokens")
	g.refused(t, 42, "embeddings.register_tokens")

	g = changed(t, "dinov2-small-official-42")
	g.refused(t, 50, "no whole number of patches of 14", "such as 42")
	g.Tensors["pos_embed"] = goldenTensor{shape: []int64{1, 23, 32}}
	g.refused(t, 42, "pos_embed", "23 positions")
}

// TestSigLIPsActivationWithoutAConfiguration is the naming's own: Hugging Face's is by tanh, timm's is exact but for the
// newer models.
func TestSigLIPsActivationWithoutAConfiguration(t *testing.T) {
	needRuntime(t)
	for _, name := range []string{"siglip-small-huggingface", "siglip-small-timm-gelu", "siglip-small-open-clip"} {
		g := changed(t, name)
		g.config.Activation = ""
		wantNear(t, name, g.run(t, g.build(t, g.Arch), graph.Features, len(g.Features[0])), g.Features, 0.9999999, 1e-5)
	}
}

func TestReadArchitecture(t *testing.T) {
	for text, want := range map[string]graph.Config{
		`{"model_type":"vit","hidden_act":"gelu","num_attention_heads":6,"layer_norm_eps":1e-12}`:              {Heads: 6, Activation: "gelu", Epsilon: 1e-12},
		`{"model_type":"clip","text_config":{"hidden_act":"relu"},"vision_config":{"num_attention_heads":16}}`: {Heads: 16, Activation: "quick_gelu"},
		`{"model_type":"dinov2_with_registers"}`:                                                               {Heads: 12, Activation: "gelu", Registers: 4},
		`{"model_type":"clip","vision_config":{"hidden_act":"gelu"}}`:                                          {Heads: 12, Activation: "gelu"},
		`{"model_type":"siglip","vision_config":{}}`:                                                           {Heads: 12, Activation: "gelu_pytorch_tanh"},
		`{"model_type":"resnet","hidden_act":"relu"}`:                                                          {},
		`{"architecture":"vit_base_patch16_224","num_classes":1000}`:                                           {},
		`{"architecture":"vit_base_patch32_clip_quickgelu_224","pretrained_cfg":{}}`:                           {Activation: "quick_gelu"},
		`{"architecture":"vit_base_patch32_clip_224"}`:                                                         {Activation: "gelu"},
		`{"architecture":"vit_base_patch16_siglip_224","model_args":{"act_layer":"gelu_tanh","num_heads":3}}`:  {Heads: 3, Activation: "gelu_tanh"},
		`{"model_cfg":{"embed_dim":512,"quick_gelu":true,"vision_cfg":{"width":768,"patch_size":32}}}`:         {Heads: 12, Activation: "quick_gelu"},
		`{"model_cfg":{"embed_dim":1024,"vision_cfg":{"width":1280,"head_width":80}}}`:                         {Heads: 16, Activation: "gelu"},
		`{"model_cfg":{"embed_dim":768,"vision_cfg":{"timm_model_name":"vit_base_patch16_siglip_224"}}}`:       {},
	} {
		if got, err := readArchitecture([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v, expected %+v", text, got, err, want)
		}
	}
	for _, text := range []string{`{`, `{"model_type":"vit","num_attention_heads":"two"}`, `{"model_cfg":{"vision_cfg":{"width":100}}}`} {
		if got, err := readArchitecture([]byte(text)); err == nil {
			t.Errorf("%s: %+v, expected an error", text, got)
		}
	}
}

func TestArchitectureBeside(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wantConfig := func(file string, want graph.Config) {
		t.Helper()
		if got, err := architectureBeside(filepath.Join(dir, file)); err != nil || got != want {
			t.Errorf("%s: %+v, %v, expected %+v", file, got, err, want)
		}
	}
	wantConfig("model.safetensors", graph.Config{})
	write("open_clip_config.json", `{"model_cfg":{"vision_cfg":{"width":768}}}`)
	wantConfig("model.safetensors", graph.Config{Heads: 12, Activation: "gelu"})
	write("config.json", `{"model_type":"clip","vision_config":{"num_attention_heads":16}}`)
	wantConfig("model.safetensors", graph.Config{Heads: 16, Activation: "quick_gelu"})
	wantConfig("open_clip_model.safetensors", graph.Config{Heads: 12, Activation: "gelu"})
	write("config.json", `[]`)
	if _, err := architectureBeside(filepath.Join(dir, "model.safetensors")); err == nil || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("%v, expected an error that names the file", err)
	}
}
