package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
)

// Remove removes an installed model from the home folder and returns how many bytes that frees. name is a model's name
// and never a path. Only files that imgvec writes are removed: a folder that holds others, a model that a person put
// there, and everything outside of the home folder stay, with an error. A process that has the model open goes on with
// it, where the system keeps a removed file for those who have it open (Unix does).
func Remove(name string, opts OpenOptions) (freed int64, err error) {
	freed, err = remove(name, opts)
	if err != nil {
		return 0, fmt.Errorf("imgvec: remove model %q: %w", name, err)
	}
	return freed, nil
}

func remove(name string, opts OpenOptions) (freed int64, err error) {
	if checkName(name) != nil {
		return 0, errors.New("it is not the name of an installed model; what lies elsewhere is yours to remove")
	}
	dir := filepath.Join(opts.models(), name)
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("%w: %w", imgvec.ErrModel, didYouMean("it is not installed", name, installedNames(opts)))
	case err != nil:
		return 0, err
	case info.Mode()&fs.ModeSymlink != 0:
		return 0, os.Remove(dir) // the folder that it leads to is somebody's
	case !info.IsDir():
		return 0, fmt.Errorf("%s is no model folder", dir)
	}
	ours, err := ourFiles(dir)
	if err != nil {
		return 0, err
	}
	release, err := hold(dir)
	if err != nil {
		return 0, err
	}
	defer release()
	freed = sizeOf(dir)
	return freed, removeFiles(dir, ours)
}

// ourFiles lists what imgvec wrote into a model folder, the manifest first, so that what is removed half is not
// installed. It is an error where something else is there.
func ourFiles(dir string) ([]string, error) {
	ours := []string{ManifestFile, ModelFile}
	manifest, err := readManifest(dir)
	switch {
	case errors.Is(err, errPresetOnly):
		return nil, fmt.Errorf("%s holds a model that somebody put there; remove it by hand", dir)
	case err == nil:
		ours = append(ours, manifest.Model.File)
		for _, f := range manifest.Files {
			ours = append(ours, filepath.Clean(f.File))
		}
	}
	ours = append(ours, ".lock")
	var others []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		temporary, _ := filepath.Match(tempFiles, filepath.Base(path))
		if err == nil && !d.IsDir() && !temporary && !slices.Contains(ours, name) {
			others = append(others, name)
		}
		return err
	})
	if err == nil && len(others) > 0 {
		err = fmt.Errorf("%s holds files that are not imgvec's (%s); remove it by hand", dir, strings.Join(others[:min(len(others), 5)], ", "))
	}
	return ours, err
}

// removeFiles removes the files, and the folders that are empty then.
func removeFiles(dir string, files []string) error {
	for _, name := range files {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range files {
		for sub := filepath.Dir(name); sub != "."; sub = filepath.Dir(sub) {
			_ = os.Remove(filepath.Join(dir, sub)) // fails where it is not empty
		}
	}
	return os.Remove(dir)
}
