package model

import "errors"

func openFile(path string, opts OpenOptions) (*Model, error) { return openForeign(path, opts, nil) }

func openForeign(path string, opts OpenOptions, manifest *Manifest) (*Model, error) {
	return nil, errors.New("TODO")
}
