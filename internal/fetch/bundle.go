package fetch

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/imgvec/imgvec/internal/home"
)

// Bundle writes every wheel of [Wheels] to w as one tar, for [Unbundle] on a machine without a network. Wheels that
// dir ("": the home folder's) lacks are downloaded into it first. The same pins give the same bytes. gpu adds the GPU's
// libraries, which make it ten times as large.
func Bundle(ctx context.Context, w io.Writer, dir string, gpu bool, log func(string)) error {
	if dir == "" {
		dir = filepath.Join(home.Dir(), DownloadsDir)
	}
	pins, err := Wheels(gpu)
	if err != nil {
		return err
	}
	return bundle(ctx, w, dir, pins, log)
}

func bundle(ctx context.Context, w io.Writer, dir string, pins []Pin, log func(string)) error {
	out := tar.NewWriter(w)
	for _, pin := range pins {
		path, err := wheel(ctx, pin, dir, log)
		if err != nil {
			return fmt.Errorf("imgvec: bundle: %w", err)
		}
		if err := addFile(out, path, pin); err != nil {
			return fmt.Errorf("imgvec: bundle %s: %w", pin, err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("imgvec: bundle: %w", err)
	}
	return nil
}

func addFile(out *tar.Writer, path string, pin Pin) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	header := &tar.Header{Name: pin.File, Size: pin.Size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return err
}

// Unbundle takes the wheels of a bundle into dir. Every one must be pinned by this version of imgvec and have the
// pinned hash, and none may be missing; anything else is refused. No file gets its final name before its hash is right;
// those that came before what was refused were right, and stay. Without gpu, a bundle's wheels for GPUs are left out.
func Unbundle(ctx context.Context, r io.Reader, dir string, gpu bool) error {
	pins, err := Wheels(gpu)
	if err != nil {
		return err
	}
	if err := unbundle(ctx, r, dir, pins); err != nil {
		return fmt.Errorf("imgvec: %w", err)
	}
	return nil
}

func unbundle(ctx context.Context, r io.Reader, dir string, pins []Pin) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unpack bundle: %w", err)
	}
	unlock, err := Lock(ctx, dir, nil)
	if err != nil {
		return fmt.Errorf("unpack bundle: %w", err)
	}
	defer unlock()
	home.Sweep(dir, ".unpack-*")
	missing := map[string]Pin{}
	for _, pin := range pins {
		missing[pin.File] = pin
	}
	for in := tar.NewReader(r); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("unpack bundle: not a whole bundle of `make bundle`: %w", err)
		}
		pin, ok := missing[header.Name]
		if !ok && forGPU(header.Name) {
			continue
		}
		if !ok {
			return fmt.Errorf("unpack bundle: it holds %q, which this version of imgvec does not use: "+
				"make the bundle with the same version", header.Name)
		}
		if err := copyChecked(filepath.Join(dir, pin.File), in, pin.Size, pin.SHA256, pin.File); err != nil {
			return fmt.Errorf("unpack bundle: %w", err)
		}
		delete(missing, header.Name)
	}
	var lacks []string
	for _, pin := range pins {
		if _, ok := missing[pin.File]; ok {
			lacks = append(lacks, pin.String())
		}
	}
	if len(lacks) > 0 {
		return fmt.Errorf("unpack bundle: it lacks %s: make the bundle with the same version and the same choice of --gpu", strings.Join(lacks, ", "))
	}
	return nil
}

// forGPU tells whether a file is a wheel that only GPUs need.
func forGPU(file string) bool {
	return slices.ContainsFunc(gpuLinuxAMD64, func(piece Piece) bool { return piece.File == file })
}
