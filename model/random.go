package model

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// RandomOptions says where a random model goes; the zero value is the default.
type RandomOptions struct {
	Name string // of the model; empty: ARCH-random, with the seed where it is not 0
	Home string // empty: home.Dir()

	Force bool // replace an installed model of this name that has other weights
}

// Random makes a model with random weights, for tests and benchmarks on machines that have no trained ones, and
// installs it in the home folder. The same architecture and seed give the same bytes on every machine. Its features
// mean nothing; its Source, Note and Random field say so. A model of this name that has other weights is not replaced.
func Random(arch string, seed uint64, opts RandomOptions) (*Model, error) {
	m, err := random(arch, seed, opts)
	if err != nil {
		return nil, fmt.Errorf("imgvec: make random model %q: %w", arch, err)
	}
	return m, nil
}

func random(arch string, seed uint64, opts RandomOptions) (*Model, error) {
	preset := imageNet(256, 224, imgvec.Bilinear)
	if size := graph.Side(arch); strings.HasPrefix(arch, "efficientnet-lite") && size > 0 {
		preset = litePreset(size+32, size)
	}
	name := opts.Name
	if name == "" {
		name = arch + "-random"
		if seed != 0 {
			name = fmt.Sprintf("%s-%d", name, seed)
		}
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	if opts.Home == "" {
		opts.Home = home.Dir()
	}
	src, err := graph.RandomWeights(arch, seed)
	if err != nil {
		return nil, fmt.Errorf("%w; architectures: %s", err, archList())
	}
	b, err := buildGraph(arch, preset.InputSize.Height, src)
	if err != nil {
		return nil, err
	}
	manifest := Manifest{
		Name: name, Arch: arch, Source: fmt.Sprintf("RANDOM weights, made by imgvec (seed %d): the features mean nothing", seed),
		License: "none needed", Random: true, Logits: b.logits, Spec: builtSpec(name, b.dim, preset),
	}
	dir := filepath.Join(opts.Home, "models", name)
	if err := install(dir, b.Builder, manifest, opts.Force); err != nil {
		return nil, err
	}
	return openFolder(dir, OpenOptions{Home: opts.Home})
}
