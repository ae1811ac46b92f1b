package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec/model/internal/graph"
)

// architectureBeside reads what a configuration beside a checkpoint says of its network and the tensors do not: heads,
// activation, epsilon. Hugging Face's and timm's config.json and open_clip_config.json are known; the one that belongs to
// the file's name comes first. The zero value is the answer where there is none, or one of another network.
func architectureBeside(checkpoint string) (graph.Config, error) {
	files := []string{"config.json", "open_clip_config.json"}
	if strings.HasPrefix(filepath.Base(checkpoint), "open_clip") {
		files[0], files[1] = files[1], files[0]
	}
	for _, name := range files {
		path := filepath.Join(filepath.Dir(checkpoint), name)
		text, err := readSmall(path, maxManifest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var c graph.Config
		if err == nil {
			c, err = readArchitecture(text)
		}
		if err != nil {
			return c, fmt.Errorf("%s: %w", path, err)
		}
		if c != (graph.Config{}) {
			return c, nil
		}
	}
	return graph.Config{}, nil
}

// transformerConfig are the fields of Hugging Face's configurations of Vision Transformers.
type transformerConfig struct {
	Heads      *int64  `json:"num_attention_heads"`
	Activation *string `json:"hidden_act"`
	Epsilon    float64 `json:"layer_norm_eps"`
	Registers  *int64  `json:"num_register_tokens"`
}

// architectureFile is any of the three kinds.
type architectureFile struct {
	ModelType string             `json:"model_type"` // Hugging Face
	Vision    *transformerConfig `json:"vision_config"`
	transformerConfig

	Architecture string `json:"architecture"` // timm
	Args         struct {
		Heads      int64  `json:"num_heads"`
		Activation string `json:"act_layer"`
	} `json:"model_args"`

	Model *struct { // open_clip
		QuickGELU bool `json:"quick_gelu"`
		Vision    struct {
			Width int64  `json:"width"`
			Head  int64  `json:"head_width"`
			Timm  string `json:"timm_model_name"`
		} `json:"vision_cfg"`
	} `json:"model_cfg"`
}

// transformerActivations are the activations of Hugging Face's classes where the file has none.
var transformerActivations = map[string]string{
	"vit": "gelu", "dinov2": "gelu", "dinov2_with_registers": "gelu", "clip": "quick_gelu", "clip_vision_model": "quick_gelu",
	"siglip": "gelu_pytorch_tanh", "siglip_vision_model": "gelu_pytorch_tanh",
}

func readArchitecture(text []byte) (graph.Config, error) {
	var f architectureFile
	if err := json.Unmarshal(text, &f); err != nil {
		return graph.Config{}, err
	}
	activation, transformer := transformerActivations[f.ModelType]
	switch {
	case transformer:
		return f.transformer(activation), nil
	case f.Architecture != "":
		return f.timm(), nil
	case f.Model != nil && f.Model.Vision.Timm == "":
		return f.openCLIP()
	}
	return graph.Config{}, nil
}

// transformer: what the file leaves out has the default of Hugging Face's classes.
func (f *architectureFile) transformer(activation string) graph.Config {
	t := f.transformerConfig
	if f.Vision != nil {
		t = *f.Vision
	}
	c := graph.Config{Heads: 12, Activation: activation, Epsilon: t.Epsilon}
	if t.Heads != nil {
		c.Heads = *t.Heads
	}
	if f.ModelType == "dinov2_with_registers" {
		c.Registers = 4
	}
	if t.Registers != nil {
		c.Registers = *t.Registers
	}
	if t.Activation != nil {
		c.Activation = *t.Activation
	}
	return c
}

// timm: the architecture's name tells a CLIP's activation.
func (f *architectureFile) timm() graph.Config {
	c := graph.Config{Heads: f.Args.Heads, Activation: f.Args.Activation}
	switch {
	case c.Activation != "":
	case strings.Contains(f.Architecture, "_clip_quickgelu_"):
		c.Activation = "quick_gelu"
	case strings.HasPrefix(f.Architecture, "vit_") && strings.Contains(f.Architecture, "_clip_"):
		c.Activation = "gelu"
	}
	return c
}

func (f *architectureFile) openCLIP() (graph.Config, error) {
	c := graph.Config{Activation: "gelu"}
	if f.Model.QuickGELU {
		c.Activation = "quick_gelu"
	}
	if v := f.Model.Vision; v.Width > 0 {
		head := v.Head
		if head == 0 {
			head = 64
		}
		if head < 0 || v.Width%head != 0 {
			return c, fmt.Errorf("vision_cfg: heads of %d do not divide the width %d", head, v.Width)
		}
		c.Heads = v.Width / head
	}
	return c, nil
}

// Config implements graph.Configured.
func (w weights) Config() graph.Config { return w.config }
