package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// usualNames are the names that checkpoints and models have in folders of Hugging Face's hub, the best first.
var usualNames = []string{
	"model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin", ModelFile,
}

// importable finds the file that Import is to read, and looks at it before anything is asked of its architecture or
// preset. path may be a folder that holds it.
func importable(path string) (file string, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("no such file")
	case err != nil:
		return "", err
	case info.IsDir():
		if path, err = inFolder(path); err != nil {
			return "", err
		}
		return importable(path)
	case !info.Mode().IsRegular():
		return "", errors.New("it is not a file")
	case info.Size() == 0:
		return "", errors.New("it is empty")
	}
	return path, nil
}

// inFolder finds the one file in a folder that can be imported.
func inFolder(dir string) (string, error) {
	for _, name := range append(slices.Clone(usualNames), filepath.Join("onnx", ModelFile), "model.safetensors.index.json", "pytorch_model.bin.index.json") {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return filepath.Join(dir, name), nil
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		if e.Type().IsRegular() && (isCheckpoint(e.Name()) || isONNX(e.Name())) {
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("the folder has no checkpoint (%s, *.pth) and no .onnx file", strings.Join(usualNames[:4], ", "))
	case 1:
		return filepath.Join(dir, found[0]), nil
	}
	return "", fmt.Errorf("the folder has %d files that could be it; name one: %s", len(found), strings.Join(found[:min(len(found), 5)], ", "))
}

func isONNX(path string) bool { return strings.EqualFold(filepath.Ext(path), ".onnx") }
