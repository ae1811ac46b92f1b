package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// manifest is what a run in parts knows of itself after its process has died: a file of JSON lines, OUT.parts/manifest.jsonl.
// The first line says what run it is, each other one tells of a finished part, or that the parts are joined. Lines are
// appended and synced one by one; a last line that a dying process or machine has torn is cut off when the file is opened again.
//
// Whoever writes the output holds a lock on the file.
type manifest struct {
	path   string
	file   *os.File
	head   *runHead // nil: no part is finished
	parts  []part
	joined *fileMark // the output that the parts were joined to, before it got its name
}

const (
	manifestName   = "manifest.jsonl"
	manifestFormat = 1
)

// runHead says what run the parts are of.
type runHead struct {
	Format  int       `json:"imgvec_manifest"`
	Run     []Setting `json:"run"`
	Given   []string  `json:"given"`            // the inputs in the words of the caller
	Inputs  string    `json:"inputs,omitempty"` // Source.Digest; "": they can't be read twice
	Started time.Time `json:"started"`
}

// Setting is something that the rows of an output depend on, such as the precision, in words for a person.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// part is a finished part: its files stand under their names and are synced.
type part struct {
	Number int             `json:"part"`
	Files  []partFile      `json:"files"` // none where all its images were left out
	Items  int64           `json:"items"` // inputs that it took
	Rows   int64           `json:"rows"`
	State  json.RawMessage `json:"state,omitempty"` // the caller's
}

type partFile struct {
	Name   string `json:"name"` // in the folder of the parts
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// fileMark tells one file from another of the same name.
type fileMark struct {
	Inode uint64 `json:"inode"`
	Bytes int64  `json:"bytes"`
}

// joinedLine is the line that says that the parts are joined; each other line but the first is a part.
type joinedLine struct {
	Joined *fileMark `json:"joined"`
}

// openManifest opens the manifest in a folder, which it makes where there is none, and locks it. ErrUsage: another
// process has it.
func openManifest(dir, output string) (*manifest, error) {
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("imgvec: output %q: %w", output, err)
	}
	m := &manifest{path: filepath.Join(dir, manifestName)}
	for {
		f, err := os.OpenFile(m.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
		if err != nil {
			return nil, fmt.Errorf("imgvec: output %q: %w", output, err)
		}
		if err := lockPatiently(f); errors.Is(err, unix.EWOULDBLOCK) {
			_ = f.Close()
			return nil, usagef("imgvec: output %q: another imgvec is writing it now: wait for its end, or choose another name", output)
		}
		if stillThere(f, m.path) {
			m.file = f
			break
		}
		_ = f.Close() // the process that had it has come to its end, and removed it
	}
	if err := m.load(); err != nil {
		_ = m.close()
		return nil, err
	}
	return m, nil
}

// lockPatience is how long a lock is waited for: a process that was killed holds it until its memory is taken down.
const lockPatience = 3 * time.Second

// lockPatiently locks a file. A file system without locks goes without.
func lockPatiently(f *os.File) error {
	for end := time.Now().Add(lockPatience); ; time.Sleep(50 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			return err
		}
	}
}

func stillThere(f *os.File, path string) bool {
	ours, err := f.Stat()
	if err != nil {
		return true
	}
	theirs, err := os.Stat(path)
	return err == nil && os.SameFile(ours, theirs)
}

// load reads the lines up to the first that is not whole, and cuts the file off there.
func (m *manifest) load() error {
	data, err := io.ReadAll(m.file)
	if err != nil {
		return fmt.Errorf("imgvec: read %q: %w", m.path, err)
	}
	good := int64(0)
	for rest := data; ; {
		text, after, whole := bytes.Cut(rest, []byte("\n"))
		if !whole || !m.take(text) {
			break
		}
		rest, good = after, good+int64(len(text))+1
	}
	if m.head == nil && len(data) > 0 && good == 0 && bytes.IndexByte(data, '\n') >= 0 {
		return fmt.Errorf("imgvec: %q is no manifest of this version of imgvec: remove its folder to begin anew", m.path)
	}
	if good == int64(len(data)) {
		return nil
	}
	if err := m.file.Truncate(good); err != nil {
		return fmt.Errorf("imgvec: write %q: %w", m.path, err)
	}
	return m.sync()
}

// take reads one line; false where it is none of ours, or out of order.
func (m *manifest) take(text []byte) bool {
	if m.head == nil {
		var h runHead
		if json.Unmarshal(text, &h) != nil || h.Format != manifestFormat {
			return false
		}
		m.head = &h
		return true
	}
	l := struct {
		part
		joinedLine
	}{part: part{Number: -1}}
	switch {
	case json.Unmarshal(text, &l) != nil:
		return false
	case l.Joined != nil:
		m.joined = l.Joined
	case l.Number != len(m.parts):
		return false
	default:
		m.parts = append(m.parts, l.part)
	}
	return true
}

func (m *manifest) begin(h runHead) error {
	if err := m.write(h); err != nil {
		return err
	}
	m.head = &h
	return nil
}

func (m *manifest) add(p part) error {
	if err := m.write(p); err != nil {
		return err
	}
	m.parts = append(m.parts, p)
	return nil
}

func (m *manifest) markJoined(mark fileMark) error {
	m.joined = &mark
	return m.write(joinedLine{&mark})
}

func (m *manifest) write(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		panic("imgvec: BUG: " + err.Error())
	}
	if _, err := m.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("imgvec: write %q: %w", m.path, bare(err))
	}
	return m.sync()
}

func (m *manifest) sync() error {
	if err := m.file.Sync(); err != nil {
		return fmt.Errorf("imgvec: write %q: %w", m.path, bare(err))
	}
	return nil
}

// keep drops all parts from the nth on, and writes the file anew without them. Nothing is kept where n is 0.
func (m *manifest) keep(n int) error {
	head, parts := m.head, m.parts[:n]
	m.head, m.parts, m.joined = nil, nil, nil
	if err := m.file.Truncate(0); err != nil {
		return fmt.Errorf("imgvec: write %q: %w", m.path, bare(err))
	}
	if n == 0 {
		return m.sync()
	}
	// A process that dies here leaves fewer lines, which only costs work.
	if err := m.begin(*head); err != nil {
		return err
	}
	for _, p := range parts {
		if err := m.add(p); err != nil {
			return err
		}
	}
	return nil
}

// remove takes the file and its folder away; the lock goes with them.
func (m *manifest) remove() error {
	if err := os.Remove(m.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("imgvec: %w", err)
	}
	_ = os.Remove(filepath.Dir(m.path)) // it stays where somebody has put something into it
	return m.close()
}

func (m *manifest) close() error { return m.file.Close() }

// sums are the sizes and hashes of files.
func sums(dir string, names []string) ([]partFile, error) {
	var out []partFile
	for _, name := range names {
		n, sum, err := sumFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("imgvec: read back: %w", err)
		}
		out = append(out, partFile{name, n, sum})
	}
	return out, nil
}

func sumFile(path string) (int64, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// whole tells whether a part's files are as they were; deep reads them.
func (p *part) whole(dir string, deep bool) bool {
	for _, f := range p.Files {
		path := filepath.Join(dir, filepath.Base(f.Name))
		info, err := os.Stat(path)
		if err != nil || info.Size() != f.Bytes || !info.Mode().IsRegular() {
			return false
		}
		if !deep {
			continue
		}
		if _, sum, err := sumFile(path); err != nil || sum != f.SHA256 {
			return false
		}
	}
	return true
}
