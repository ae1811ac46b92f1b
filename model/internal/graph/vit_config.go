package graph

import "fmt"

// Config is what a model's configuration says and its tensors do not. The zero value says nothing.
type Config struct {
	Heads      int64   // of the attention
	Activation string  // of the MLPs, in Hugging Face's, timm's or open_clip's words: "gelu", "quick_gelu", "gelu_pytorch_tanh"
	Epsilon    float64 // of the layer norms
	Registers  int64   // tokens beside the class token
}

// Configured is a Source that knows the model's configuration, from a file beside the weights.
type Configured interface {
	Source
	Config() Config
}

func configOf(src Source) Config {
	if c, ok := src.(Configured); ok {
		return c.Config()
	}
	return Config{}
}

// activation is the function between an MLP's two layers.
type activation int

const (
	actUnknown activation = iota
	actGelu               // x * Phi(x)
	actTanh               // its approximation by tanh
	actQuick              // its approximation by a sigmoid: x * sigmoid(1.702 x)
)

// activations are the words of configurations.
var activations = map[string]activation{
	"gelu": actGelu, "gelu_tanh": actTanh, "gelu_pytorch_tanh": actTanh, "gelu_new": actTanh,
	"quick_gelu": actQuick, "quickgelu": actQuick,
}

// activation reads the configuration's word, actUnknown where it has none.
func (c Config) activation() (activation, error) {
	if c.Activation == "" {
		return actUnknown, nil
	}
	a, ok := activations[c.Activation]
	if !ok {
		return actUnknown, fmt.Errorf("its configuration names the activation %q, which is not supported (gelu, quick_gelu, gelu_pytorch_tanh are)", c.Activation)
	}
	return a, nil
}

func (a activation) String() string {
	return [...]string{"unknown", "gelu", "gelu_pytorch_tanh", "quick_gelu"}[a]
}
