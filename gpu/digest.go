package gpu

import (
	"crypto/sha256"
	"encoding/hex"
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
			files = append(files, filepath.Join(filepath.Dir(path), filepath.FromSlash(name)))
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
