package dataset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// pair is the array of an NPY output and the file with its ids. The two get their names so that an array never stands
// without its ids or beside those of another run, whoever else writes the same output and wherever the process dies.
type pair struct{ array, ids *atomicFile }

// createIDs begins the file of ids. One that is there already is somebody's, unless a killed run has left it.
func createIDs(output string, force bool) (*atomicFile, error) {
	if orphaned(output) {
		if err := os.Remove(idsOf(output)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return createFile(idsOf(output), force)
}

// orphaned tells whether the ids under their final name are those of a run that was killed before its array got its
// own: they are then still the same file as one of that run's temporary files.
func orphaned(output string) bool {
	if _, err := os.Lstat(output); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	ids, err := os.Lstat(idsOf(output))
	if err != nil {
		return false
	}
	for _, path := range leftovers(idsOf(output)) {
		if info, err := os.Lstat(path); err == nil && os.SameFile(info, ids) {
			return true
		}
	}
	return false
}

// finish syncs both files and gives them their names, the ids first.
func (p pair) finish() error {
	if err := errors.Join(p.array.sync(), p.ids.sync()); err != nil {
		return err
	}
	if err := p.place(); err != nil {
		return err
	}
	// From here on both files stand, whatever a disk may say about it.
	return errors.Join(p.array.settle(), p.ids.settle())
}

func (p pair) place() error {
	// Runs with --force and the same output would put their ids and arrays in turns.
	defer lockFolder(filepath.Dir(p.array.final))()
	if err := p.clear(); err != nil {
		return err
	}
	if err := p.ids.place(p.ids.link); err != nil {
		return err
	}
	if err := p.array.place(p.array.rename); err != nil {
		return errors.Join(err, p.ids.unlink())
	}
	_ = os.Remove(p.ids.temp) // its other name; a later run removes it too
	return nil
}

// clear makes room for both files where the run may do so. The older array goes first: it must not be left beside the
// ids of the new one.
func (p pair) clear() error {
	if !p.array.force {
		if _, err := os.Lstat(p.array.final); err == nil {
			return p.array.appeared()
		}
		return nil
	}
	for _, f := range []*atomicFile{p.array, p.ids} {
		if err := unix.Unlink(f.final); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f.explain(err)
		}
	}
	return nil
}

// discard is drop for both files.
func (p pair) discard() (whole bool) {
	if p.array.discard() {
		return true
	}
	if p.ids.discard() {
		_ = p.ids.unlink()
		_ = os.Remove(p.ids.temp)
	}
	return false
}

func (p pair) abort() error { return errors.Join(p.array.abort(), p.ids.abort()) }

// link gives the file its final name beside the temporary one, never in place of another file. The two names are how
// a later run knows the ids of a killed one. A file system without links gives the name alone.
func (f *atomicFile) link() error {
	err := os.Link(f.temp, f.final)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return renameNew(f.temp, f.final)
}

// unlink takes the final name away from this very file; another that has come there stays.
func (f *atomicFile) unlink() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.placed = false
	ours, err := f.file.Stat()
	if err != nil {
		return f.explain(err)
	}
	theirs, err := os.Lstat(f.final)
	if err != nil || !os.SameFile(ours, theirs) {
		return nil
	}
	return f.explain(os.Remove(f.final))
}

// lockFolder keeps others out who lock the folder for the same reason. It is held for a few renames, so whoever holds
// it longer is somebody else, and so is a file system that has no locks: then it goes without.
func lockFolder(dir string) (unlock func()) {
	d, err := os.Open(dir)
	if err != nil {
		return func() {}
	}
	for range 100 {
		if err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return func() { _ = d.Close() }
}
