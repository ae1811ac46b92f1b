package dataset

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec"
)

// PixelWriter writes pictures of one size as a NumPy array of uint8, [pictures, height, width, 3]. Like every output
// of this package it appears when it is whole.
type PixelWriter struct {
	dst  *atomicFile
	size imgvec.Size
	rows int64
}

// CreatePixels begins an array of pictures, which must be called .npy.
func CreatePixels(output string, size imgvec.Size, force bool) (*PixelWriter, error) {
	if strings.ToLower(filepath.Ext(output)) != ".npy" {
		return nil, usagef("imgvec: output %q: pixels are written as .npy only", output)
	}
	dst, err := createFile(output, force)
	if err != nil {
		return nil, err
	}
	w := &PixelWriter{dst: dst, size: size}
	if _, err := dst.Write(w.header()); err != nil {
		return nil, w.fail(err)
	}
	return w, nil
}

func (w *PixelWriter) header() []byte {
	return npyHeader("|u1", w.rows, int64(w.size.Height), int64(w.size.Width), 3)
}

func (w *PixelWriter) fail(err error) error {
	err = w.dst.explain(err)
	if abort := w.dst.abort(); abort != nil {
		return fmt.Errorf("%w; %w", err, abort)
	}
	return err
}

// Write adds a picture: height * width * 3 bytes, RGB.
func (w *PixelWriter) Write(pixels []uint8) error {
	if want := w.size.Height * w.size.Width * 3; len(pixels) != want {
		return fmt.Errorf("imgvec: write %q: a picture of %d bytes where %d belong", w.dst.output, len(pixels), want)
	}
	if _, err := w.dst.Write(pixels); err != nil {
		return w.dst.explain(err)
	}
	w.rows++
	return nil
}

// Finish completes the file and gives it its name.
func (w *PixelWriter) Finish() error {
	if err := w.dst.overwrite(w.header()); err != nil {
		return w.dst.explain(err)
	}
	return w.dst.finish()
}

// Abort drops the file. After Finish it does nothing.
func (w *PixelWriter) Abort() error { return w.dst.abort() }

// Discard is for a process that is about to end while another goroutine is in Write or Finish, as Writer's.
func (w *PixelWriter) Discard() (whole bool) { return w.dst.discard() }
