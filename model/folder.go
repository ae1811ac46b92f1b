package model

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/internal/home"
)

// tempFiles are the names under which files of a model folder are written.
const tempFiles = ".writing-*"

// hold makes a model folder and holds off others that write to it, until release is called, and removes what killed
// writers left. Writing takes moments, so there is nothing to cancel.
func hold(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	release, err = fetch.Lock(context.Background(), dir, nil)
	if err != nil {
		return nil, err
	}
	home.Sweep(dir, tempFiles)
	return release, nil
}

// writeAtomic writes a file under a temporary name, syncs it, and renames it to path: there is never half a file. The
// caller holds the folder.
func writeAtomic(path string, write func(io.Writer) error) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), tempFiles)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	err = write(temp)
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
