package gpu

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
)

// withModel calls f with the parsed model file, which stays open for as long.
func withModel(path string, f func(*onnx.Model) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", imgvec.ErrModel, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", imgvec.ErrModel, err)
	}
	m, err := onnx.Parse(file, info.Size())
	if err != nil {
		return fmt.Errorf("%w: %w", imgvec.ErrModel, err)
	}
	return f(m)
}

// digest is the SHA-256 of the model: its file, and the files beside it that hold weights.
func digest(path string) (string, error) {
	files := []string{path}
	err := withModel(path, func(m *onnx.Model) error {
		names, err := m.ExternalFiles()
		for _, name := range names {
			file, outside := beside(path, name)
			err = errors.Join(err, outside)
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range files {
		if err := addFile(sum, name); err != nil {
			return "", fmt.Errorf("%w: %w", imgvec.ErrModel, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// beside is the path of a file that the model names, in the model's folder or below it.
func beside(model, name string) (string, error) {
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) {
		return "", fmt.Errorf("%w: it keeps weights in %q, outside of its folder", imgvec.ErrModel, name)
	}
	return filepath.Join(filepath.Dir(model), local), nil
}

func addFile(to io.Writer, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(to, file)
	return err
}

// digestFile is the SHA-256 of one file.
func digestFile(name string) (string, error) {
	sum := sha256.New()
	if err := addFile(sum, name); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
