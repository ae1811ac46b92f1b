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
	sum, err := hashFile(path)
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

// WriteManifest replaces dir's manifest by the given entries (by path below dir, with slashes), whole or not at all.
func WriteManifest(dir string, entries map[string]Entry) error {
	text, err := json.MarshalIndent(manifest{Files: entries}, "", "  ")
	if err != nil {
		return fmt.Errorf("imgvec: write manifest: %w", err)
	}
	temp, err := os.CreateTemp(dir, ManifestFile+".*")
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

func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
