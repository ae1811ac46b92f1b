package measure

import (
	"os"
	"runtime"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

// Machine is what `imgvec doctor` tells: what this machine has, and why something of it can't be used.
type Machine struct {
	System   string                   `json:"system"` // "linux/amd64"
	Home     Home                     `json:"home"`
	CPU      CPU                      `json:"cpu"`
	GPU      GPU                      `json:"gpu"`
	Decoders []preprocess.DecoderInfo `json:"decoders"`
	Models   []Model                  `json:"models"`
	Auto     Auto                     `json:"auto"`
}

// Home is the folder of libraries and models.
type Home struct {
	Path   string `json:"path"`
	Exists bool   `json:"exists"`
	ByEnv  bool   `json:"by_env"` // IMGVEC_HOME names it
}

// Model is one installed model.
type Model struct {
	Name    string         `json:"name"`
	Dim     int            `json:"dim,omitempty"`
	Random  bool           `json:"random_weights,omitempty"`
	Cosines []model.Cosine `json:"cosines,omitempty"`
	Auto    *Auto          `json:"auto,omitempty"`  // what extract takes for it; nil where nothing can run
	Error   string         `json:"error,omitempty"` // why it can't be used

	Quantised *model.Quantisation `json:"quantised,omitempty"` // of a quantised model; its Cosines compare int8 with int8
}

// Auto is what --device auto and --precision auto choose: the machine's for a model that holds its accuracy, or a model's.
type Auto = executor.Choice

// Look finds out what this machine has. It opens the native libraries and reads the models' folders, and runs nothing.
func Look() Machine {
	m := Machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPU: lookCPU(), GPU: lookGPU(), Decoders: preprocess.Decoders()}
	m.Home = Home{Path: home.Dir(), ByEnv: os.Getenv("IMGVEC_HOME") != ""}
	if info, err := os.Stat(m.Home.Path); err == nil {
		m.Home.Exists = info.IsDir()
	}
	for _, name := range model.Installed() {
		m.Models = append(m.Models, lookModel(name, m.CPU, m.GPU))
	}
	m.Auto = choose(m.CPU, m.GPU)
	return m
}

// choose is what auto takes: GPUs where there are any.
func choose(c CPU, g GPU) Auto {
	if g.Usable {
		return Auto{Device: imgvec.DeviceCUDA, Provider: g.Provider, Precision: g.Precision, Reason: gpuReason(g)}
	}
	return Auto{Device: imgvec.DeviceCPU, Provider: c.Provider, Precision: c.Precision, Reason: c.Reason}
}

func lookModel(name string, c CPU, g GPU) Model {
	m, err := model.Open(name, model.OpenOptions{})
	if err != nil {
		return Model{Name: name, Error: err.Error()}
	}
	found := Model{Name: name, Dim: m.Spec.Dim, Random: m.Random, Cosines: m.Manifest.Cosines, Quantised: m.Manifest.Quantised}
	if c.Error != "" && !g.Usable {
		return found
	}
	if auto, err := executor.Automatic(m, c, g); err != nil {
		found.Error = err.Error()
	} else {
		found.Auto = &auto
	}
	return found
}
