package home

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ManifestFile is the manifest's name in HOME.
const ManifestFile = "manifest.json"

// Entry is what the manifest says of one installed file.
type Entry struct {
	SHA256  string `json:"sha256"`   // lower-case hex
	Size    int64  `json:"size"`     // bytes
	MTimeNS int64  `json:"mtime_ns"` // modification time when it was hashed, nanoseconds since 1970
}

type manifest struct {
	Files map[string]Entry `json:"files"` // by path below HOME, with slashes
}

// NewEntry hashes the file at path.
func NewEntry(path string) (Entry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Entry{}, fmt.Errorf("imgvec: hash library: %w", err)
	}
	sum, err := HashFile(path)
	if err != nil {
		return Entry{}, fmt.Errorf("imgvec: hash library: %w", err)
	}
	return Entry{SHA256: sum, Size: info.Size(), MTimeNS: info.ModTime().UnixNano()}, nil
}

// ReadManifest reads dir's manifest: entries by path below dir, with slashes. No manifest is no error and no entry.
func ReadManifest(dir string) (map[string]Entry, error) {
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]Entry{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("imgvec: read manifest: %w", err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("imgvec: read manifest %q: %w", filepath.Join(dir, ManifestFile), err)
	}
	return m.Files, nil
}

// tempManifest are the names under which a manifest is written.
const tempManifest = ".manifest-*"

// WriteManifest replaces dir's manifest by the given entries (by path below dir, with slashes), whole or not at all, and
// removes what a killed one left. One at a time: the caller holds the folder's lock.
func WriteManifest(dir string, entries map[string]Entry) error {
	text, err := json.MarshalIndent(manifest{Files: entries}, "", "  ")
	if err != nil {
		return fmt.Errorf("imgvec: write manifest: %w", err)
	}
	Sweep(dir, tempManifest)
	temp, err := os.CreateTemp(dir, tempManifest)
	if err != nil {
		return fmt.Errorf("imgvec: write manifest: %w", err)
	}
	_, err = temp.Write(append(text, '\n'))
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), filepath.Join(dir, ManifestFile))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("imgvec: write manifest: %w", err), os.Remove(temp.Name()))
	}
	return nil
}

// HashFile is the SHA-256 of a file's content in lower-case hex.
func HashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{file}, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Sweep removes the files and folders of dir whose names match a pattern of filepath.Match: what killed writers left.
// The caller holds the lock under which such names are made. What can't be removed does no harm and is no error.
func Sweep(dir, pattern string) {
	entries, err := os.ReadDir(dir) // not filepath.Glob: the folder's own name may hold a [
	if err != nil {
		return
	}
	for _, entry := range entries {
		if ok, _ := filepath.Match(pattern, entry.Name()); ok {
			_ = os.RemoveAll(filepath.Join(dir, entry.Name()))
		}
	}
}
