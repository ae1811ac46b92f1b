package model

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/onnx"
)

// importONNX installs somebody's ONNX file as it is, or the part of it that computes the features where a session
// could not hand them out as they are.
func importONNX(file, sum string, opts ImportOptions) (*Model, error) {
	preset, err := presetFor(file, opts.Preset)
	if err != nil {
		return nil, err
	}
	if preset, err = resized(preset, opts.Size); err != nil {
		return nil, err
	}
	input, external, err := parts(file)
	if err != nil {
		return nil, err
	}
	if size := preset.InputSize; input.Height != 0 && int(input.Height) != size.Height || input.Width != 0 && int(input.Width) != size.Width {
		return nil, fmt.Errorf("the preset makes pictures of %dx%d, but the model's input takes %dx%d", size.Height, size.Width, input.Height, input.Width)
	}
	m, err := openForeign(file, OpenOptions{Home: opts.Home, Output: opts.Output}, &Manifest{Spec: imgvec.Spec{Preset: preset}})
	if err != nil {
		return nil, err
	}
	e := Entry{Name: importName(file), Source: sourceName(file), License: "not stated"}
	if err := e.take(opts); err != nil {
		return nil, err
	}
	manifest := Manifest{
		Name: e.Name, Source: e.Source, License: e.License, Weights: FileHash{File: filepath.Base(file), SHA256: sum}, Spec: m.Spec,
	}
	manifest.Spec.Model = e.Name
	if m.Path != file {
		external = nil // the part that was cut out has them in it
	}
	dir := filepath.Join(opts.Home, "models", e.Name)
	if err := installFile(dir, m.Path, external, filepath.Dir(file), manifest, opts.Force); err != nil {
		return nil, err
	}
	return openFolder(dir, OpenOptions{Home: opts.Home})
}

// parts tells the image input of an ONNX file, and the files beside it that hold its weights.
func parts(file string) (input onnx.ImageInput, external []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return input, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return input, nil, err
	}
	parsed, err := onnx.Parse(f, info.Size())
	if err != nil {
		return input, nil, err
	}
	if input, err = parsed.Graph.Index().ImageInput(); err != nil {
		return input, nil, err
	}
	external, err = parsed.ExternalFiles()
	return input, external, err
}

// installFile is install for a model that is a file already, with files of weights that lie in the folder from.
func installFile(dir, model string, external []string, from string, manifest Manifest, replace bool) error {
	release, err := hold(dir)
	if err != nil {
		return err
	}
	defer release()
	if !replace {
		if err := inTheWay(dir, manifest); err != nil {
			return err
		}
	}
	for _, name := range external {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("it keeps weights in %q, outside of its folder, which is refused", name)
		}
		sum, err := copyInto(dir, name, filepath.Join(from, name))
		if err != nil {
			return err
		}
		manifest.Files = append(manifest.Files, FileHash{name, sum})
	}
	sum, err := copyInto(dir, ModelFile, model)
	if err != nil {
		return err
	}
	return finish(dir, sum, manifest)
}

// copyInto copies a file into the model folder, whole or not at all, and returns its hash.
func copyInto(dir, name, from string) (sum string, err error) {
	f, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer f.Close()
	to := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	err = writeAtomic(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("write %s: %w", to, err)
	}
	return home.HashFile(to)
}
