package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// CheckOutput tells whether Create could begin this output, without leaving anything behind. It is cheap, so that a
// caller can ask before it loads a model. What the caller can mend is ErrUsage.
func CheckOutput(output string, force bool) error {
	if _, err := FormatOf(output); err != nil || output == "-" {
		return err
	}
	_, err := checkPath(output, force)
	if format, _ := FormatOf(output); err == nil && format == NPY {
		_, err = checkPath(idsOf(output), force || orphaned(output))
	}
	return err
}

func checkPath(output string, force bool) (final string, err error) {
	if final, err = finalPath(output); err != nil {
		return "", err
	}
	if err := checkFinal(output, final, force); err != nil {
		return "", err
	}
	return final, checkFolder(output, filepath.Dir(final))
}

// finalPath is the file that an output is about: where a link stands under its name, what that leads to.
func finalPath(output string) (string, error) {
	if real, err := filepath.EvalSymlinks(output); err == nil {
		return real, nil
	}
	if target, err := os.Readlink(output); err == nil {
		return "", usagef("imgvec: output %q is a link to %q, which does not exist", output, target)
	}
	return output, nil
}

func checkFinal(output, final string, force bool) error {
	info, err := os.Lstat(final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("imgvec: output: %w", err)
	case info.IsDir():
		return usagef("imgvec: output %q is a folder: name a file in it", output)
	case !info.Mode().IsRegular():
		return usagef("imgvec: output %q is no ordinary file (%v)", output, info.Mode().Type())
	case !force:
		return usagef("imgvec: output %q exists: use --force to replace it, or another name", output)
	}
	return nil
}

func checkFolder(output, dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usagef("imgvec: output %q: there is no folder %q: make it first", output, dir)
	case err != nil:
		return fmt.Errorf("imgvec: output: %w", err)
	case !info.IsDir():
		return usagef("imgvec: output %q: %q is no folder", output, dir)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("imgvec: output %q: can't write into folder %q: %w", output, dir, err)
	}
	return nil
}

// atomicFile is a file that stands under a temporary name until it is whole. It holds a lock on that file as long as
// it lives, which tells later runs that the file is not left over.
//
// One goroutine writes. drop may come from another, while finish waits for a slow disk.
type atomicFile struct {
	output, final, temp string
	force               bool
	file                *os.File
	buf                 *bufio.Writer
	written             int64
	closed              bool
	disk                disk

	mu      sync.Mutex // of what follows, held while the file gets or loses a name
	placed  bool       // it stands under its final name
	dropped bool       // it never will
}

// disk is what may take its time; tests put theirs in its place.
type disk struct {
	sync   func(*os.File) error
	folder func(dir string) error
}

func createFile(output string, force bool) (*atomicFile, error) {
	final, err := checkPath(output, force)
	if err != nil {
		return nil, err
	}
	f := &atomicFile{output: output, final: final, temp: tempName(final, os.Getpid()), force: force, disk: disk{(*os.File).Sync, syncFolder}}
	removeLeftovers(final)
	if f.file, err = os.OpenFile(f.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
		return nil, f.explain(err)
	}
	// Where the file system has no locks, the process id in the name still tells.
	_ = unix.Flock(int(f.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	f.buf = bufio.NewWriterSize(f.file, 256<<10)
	return f, nil
}

func tempName(final string, pid int) string {
	return filepath.Join(filepath.Dir(final), "."+filepath.Base(final)+".imgvec-"+strconv.Itoa(pid)+".tmp")
}

// removeLeftovers removes what killed runs with the same output have left. A file stays where the process that its
// name tells of lives, or somebody holds its lock: that may be a process of another container.
func removeLeftovers(final string) {
	for _, path := range leftovers(final) {
		_ = os.Remove(path)
	}
}

func leftovers(final string) []string {
	dir, prefix := filepath.Dir(final), "."+filepath.Base(final)+".imgvec-"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // then creating the file will say why
	}
	var paths []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), prefix)
		number, ok2 := strings.CutSuffix(rest, ".tmp")
		if pid, err := strconv.Atoi(number); ok && ok2 && err == nil && isLeftover(filepath.Join(dir, e.Name()), pid) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

func isLeftover(path string, pid int) bool {
	if pid != os.Getpid() && !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

func (f *atomicFile) Write(p []byte) (int, error) {
	n, err := f.buf.Write(p)
	f.written += int64(n)
	return n, err
}

func (f *atomicFile) flush() error { return nil }

func (f *atomicFile) overwrite(head []byte) error {
	if err := f.buf.Flush(); err != nil {
		return err
	}
	_, err := f.file.WriteAt(head, 0)
	return err
}

func (f *atomicFile) sync() error {
	err := f.buf.Flush()
	if err == nil {
		err = f.disk.sync(f.file)
	}
	return f.explain(err)
}

// finish is flush, fsync, rename, fsync of the folder. The lock goes last.
func (f *atomicFile) finish() error {
	if f.closed {
		return f.explain(os.ErrClosed)
	}
	if err := f.sync(); err != nil {
		return err
	}
	if err := f.place(f.rename); err != nil {
		return err
	}
	return f.settle()
}

// settle ends a file that has its name.
func (f *atomicFile) settle() error {
	f.closed = true
	if err := f.file.Close(); err != nil {
		return f.explain(err)
	}
	return f.explain(f.disk.folder(filepath.Dir(f.final)))
}

// place gives the file its final name.
func (f *atomicFile) place(name func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dropped {
		return f.explain(os.ErrClosed)
	}
	err := name()
	if errors.Is(err, fs.ErrExist) {
		return f.appeared()
	}
	f.placed = err == nil
	return f.explain(err)
}

func (f *atomicFile) appeared() error {
	return usagef("imgvec: output %q has appeared during the run and was left as it is: use --force to replace it, or another name", f.output)
}

func (f *atomicFile) rename() error {
	if f.force {
		return os.Rename(f.temp, f.final)
	}
	return renameNew(f.temp, f.final)
}

// drop sees to it that the file never gets its final name, and removes it, unless it has that name already.
func (f *atomicFile) drop() (whole bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.placed || f.dropped {
		return f.placed, nil
	}
	f.dropped = true
	if err := os.Remove(f.temp); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return false, nil
}

// discard is drop for a process that is about to end.
func (f *atomicFile) discard() (whole bool) {
	whole, _ = f.drop() // nobody is left to hear of a file that can't be removed
	return whole
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some network file systems can't
		return err
	}
	return nil
}

func (f *atomicFile) abort() error {
	if f.closed {
		return nil
	}
	f.closed = true
	_, err := f.drop()
	return f.explain(errors.Join(err, f.file.Close()))
}

// explain says what an error of the system means for this output, and what can be done.
func (f *atomicFile) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("imgvec: write %q: no space left in folder %q after %.1f MiB: free some, or choose another folder: %w",
			f.output, filepath.Dir(f.final), float64(f.written)/(1<<20), bare(err))
	case errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("imgvec: write %q: files may not grow over %.1f MiB here (ulimit -f, or the file system): %w",
			f.output, float64(f.written)/(1<<20), bare(err))
	}
	return fmt.Errorf("imgvec: write %q: %w", f.output, err)
}

// bare is the system's error without the temporary file's name around it.
func bare(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
