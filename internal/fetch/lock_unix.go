//go:build unix

package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lock holds off other processes (and other callers in this one) that fill the same folder, until unlock is called. It
// waits for them; log, which may be nil, gets one line where it is another process. A cancelled ctx ends the wait with its error.
// The kernel lets go of it when a process dies, so there is nothing stale to clean up.
func Lock(ctx context.Context, dir string, log func(string)) (unlock func(), err error) {
	release, err := turn(ctx, dir)
	if err != nil {
		return nil, err
	}
	file, err := lockFile(ctx, dir, log)
	if err != nil {
		release()
		return nil, err
	}
	return func() { file(); release() }, nil
}

// lockFile holds off other processes.
func lockFile(ctx context.Context, dir string, log func(string)) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	told := false
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		if !told {
			told = true
			say(log, "another process is filling %s: waiting for it", dir)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
