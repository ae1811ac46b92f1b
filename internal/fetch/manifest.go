package fetch

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// manifest is HOME/manifest.json: what set-up put there. Package home reads it at each start.
type manifest struct {
	Files map[string]stamp `json:"files"` // by path under the home folder, with slashes
}

type stamp struct {
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"`
	MtimeNS int64  `json:"mtime_ns"`
}

func readManifest(home string) (*manifest, error) {
	m := &manifest{Files: map[string]stamp{}}
	data, err := os.ReadFile(filepath.Join(home, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(data, m)
	}
	if err != nil || m.Files == nil {
		m.Files = map[string]stamp{}
	}
	return m, err
}

// matches tells whether the file has the pinned hash by the manifest and was not touched since.
func (m *manifest) matches(home, rel string, sum string) bool {
	s, ok := m.Files[rel]
	if !ok || s.SHA256 != sum {
		return false
	}
	info, err := os.Stat(filepath.Join(home, filepath.FromSlash(rel)))
	return err == nil && info.Size() == s.Size && info.ModTime().UnixNano() == s.MtimeNS
}

// note takes a file of that hash into the manifest.
func (m *manifest) note(home, rel string, sum string) error {
	info, err := os.Stat(filepath.Join(home, filepath.FromSlash(rel)))
	if err != nil {
		return err
	}
	m.Files[rel] = stamp{SHA256: sum, Size: info.Size(), MtimeNS: info.ModTime().UnixNano()}
	return nil
}

// write replaces the manifest at once.
func (m *manifest) write(home string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(home, ".manifest-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename, which is fine
	_, err = tmp.Write(append(data, '\n'))
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(home, "manifest.json"))
}
