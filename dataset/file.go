package dataset

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/imgvec/imgvec"
)

// Extensions are the endings of file names that folders and patterns take for images, lower case, with the dot.
var Extensions = []string{".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}

func isImage(name string) bool {
	return slices.Contains(Extensions, strings.ToLower(filepath.Ext(name)))
}

// file is an input given by its own name. It is always a row, whatever the name, also where there is no such file.
type file string

func (f file) each(ctx context.Context, yield func(imgvec.Item) bool) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return yield(fileItem(string(f))), nil
}

func (f file) count(context.Context) (int64, bool, error) { return 1, true, nil }
func (f file) any(context.Context) (bool, error)          { return true, nil }

// fileItem is the item of a file; it is opened by the worker that decodes it.
func fileItem(path string) imgvec.Item {
	return imgvec.Item{ID: EscapeName(path), Open: func() (io.ReadCloser, error) { return openRegular(path) }}
}

// ErrNotRegular is the error of an item whose name is that of a pipe, a device or a socket. To open one could take for
// ever, or do something.
var ErrNotRegular = errors.New("not a regular file")

// OpenFile opens an image's file; what is no regular file fails with ErrNotRegular. Errors are in a person's words, and
// the system's to errors.Is.
func OpenFile(path string) (io.ReadCloser, error) { return openRegular(path) }

func openRegular(path string) (io.ReadCloser, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, explainOpen(path, err)
	case info.IsDir():
		return nil, explainOpen(path, syscall.EISDIR)
	case !info.Mode().IsRegular():
		return nil, explainOpen(path, ErrNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, explainOpen(path, err)
	}
	return f, nil
}

// fileError says in a person's words why a file can't be read, and is the system's error to errors.Is.
type fileError struct {
	text  string
	cause error
}

func (e *fileError) Error() string { return e.text }
func (e *fileError) Unwrap() error { return e.cause }

func explainOpen(path string, err error) error {
	what := "can't open (" + bare(err).Error() + ")"
	switch {
	case errors.Is(err, ErrNotRegular):
		what = ErrNotRegular.Error()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		what = "no such file"
	case errors.Is(err, fs.ErrPermission):
		what = "no permission to read"
	case errors.Is(err, syscall.EISDIR):
		what = "a folder, not a file"
	}
	return &fileError{what + ": " + EscapeName(path), err}
}

// brokenItem is an item that fails with err, for what should have been an input and can't be one.
func brokenItem(path string, err error) imgvec.Item {
	return imgvec.Item{ID: EscapeName(path), Open: func() (io.ReadCloser, error) { return nil, err }}
}
