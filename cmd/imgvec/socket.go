package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// maxSocketPath is how many bytes the name of a Unix socket may have: the system's structure has no room for more.
const maxSocketPath = 107

// socketPath reads --listen.
func socketPath(listen string) (string, error) {
	path, ok := strings.CutPrefix(listen, "unix:")
	if !ok || path == "" {
		return "", usagef("--listen %q is no socket: give unix:PATH, such as unix:/tmp/imgvec.sock", listen)
	}
	if len(path) > maxSocketPath {
		return "", usagef("--listen: the socket's path has %d bytes and Unix sockets take %d: choose a shorter folder, such as one in /tmp: %s", len(path), maxSocketPath, path)
	}
	return path, nil
}

// socket is a listener under its final name.
type socket struct {
	net.Listener
	path string
	file fs.FileInfo // what lies under the name is ours while it is this file
	once sync.Once
}

// listen makes the socket at path, for this user alone. It is made under another name and moved: whoever sees it there
// reaches a server. What a dead server left there is replaced.
func listen(path string) (*socket, error) {
	if err := vacant(path); err != nil {
		return nil, err
	}
	temp := filepath.Join(filepath.Dir(path), "."+rand.Text()[:6])
	if len(temp) > maxSocketPath {
		return nil, fmt.Errorf("listen on %s: the folder's name leaves no room for a socket's: choose a shorter one", path)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	s := &socket{Listener: l, path: path}
	if err := s.publish(temp); err != nil {
		os.Remove(temp)
		return nil, fmt.Errorf("listen on %s: %w", path, errors.Join(err, l.Close()))
	}
	return s, nil
}

func (s *socket) publish(temp string) error {
	if err := os.Chmod(temp, 0o600); err != nil {
		return err
	}
	var err error
	if s.file, err = os.Lstat(temp); err != nil {
		return err
	}
	return os.Rename(temp, s.path)
}

// vacant refuses a path where a server answers, and one of anything but a socket.
func vacant(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return fmt.Errorf("listen on %s: its folder is not there: make it first, for yourself alone (mkdir -m 700)", path)
		}
		return nil
	case err != nil:
		return fmt.Errorf("listen on %s: %w", path, err)
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("listen on %s: a file that is no socket lies there: remove it, or choose another name", path)
	}
	const answers = time.Second
	conn, err := net.DialTimeout("unix", path, answers)
	if err != nil {
		return nil //nolint:nilerr // nobody answers: that is what is wanted
	}
	err = fmt.Errorf("listen on %s: a server answers there already: use it, end it (SIGTERM), or choose another name", path)
	return errors.Join(err, conn.Close())
}

// remove takes the socket out of the way, unless another has its name by now. Connections go on.
func (s *socket) remove() {
	if s == nil {
		return
	}
	s.once.Do(func() {
		if info, err := os.Lstat(s.path); err == nil && os.SameFile(info, s.file) {
			os.Remove(s.path)
		}
	})
}
