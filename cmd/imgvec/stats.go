package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// checkStats finds before the run what would keep its report from being written, and what the report would destroy.
// Only an earlier report is replaced without --force.
func checkStats(path, output string, force bool) error {
	if output != "-" && (sameFile(path, output) || sameFile(path, output+".ids.jsonl")) {
		return usagef("--stats %q is what the features are written to: give the report a name of its own", path)
	}
	if abs, err := filepath.Abs(resolved(path)); err == nil && output != "-" && sameFile(filepath.Dir(abs), output) {
		return usagef("--stats %q is in the folder that the shards are written to, which is for them alone: put the report elsewhere", path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return checkStatsFolder(path)
	case err != nil:
		return usagef("--stats: %w", err)
	case info.IsDir():
		return usagef("--stats %q is a folder: name a file in it", path)
	case !info.Mode().IsRegular():
		return usagef("--stats %q is no ordinary file", path)
	case !force && !isReport(path):
		return usagef("--stats %q exists and is no report of imgvec: use --force to replace it, or another name", path)
	}
	return checkStatsFolder(path)
}

func checkStatsFolder(path string) error {
	if target, err := os.Readlink(path); err == nil {
		if _, err := os.Stat(path); err != nil {
			return usagef("--stats %q is a link to %q, which does not exist", path, target)
		}
	}
	dir := filepath.Dir(resolved(path))
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usagef("--stats %q: there is no folder %q", path, dir)
	case err != nil:
		return usagef("--stats: %w", err)
	case !info.IsDir():
		return usagef("--stats %q: %q is no folder", path, dir)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return usagef("--stats %q: can't write into folder %q: %w", path, dir, err)
	}
	return nil
}

// sameFile tells whether two names are those of one file, which need not be there yet.
func sameFile(a, b string) bool {
	a, err := filepath.Abs(resolved(a))
	if err != nil {
		return false
	}
	b, err = filepath.Abs(resolved(b))
	return err == nil && a == b
}

// resolved is a path without links, as far as it is there.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// isReport tells whether a file is a report that --stats has written.
func isReport(path string) bool {
	const most = 64 << 20 // bytes; no report comes near it
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var r struct {
		Stages     map[string]stage `json:"stages"`
		SHA256     *string          `json:"model_sha256"`
		FinishedAt *time.Time       `json:"finished_at"`
	}
	err = json.NewDecoder(io.LimitReader(f, most)).Decode(&r)
	return err == nil && r.Stages != nil && r.SHA256 != nil && r.FinishedAt != nil
}

func (x *extraction) writeReport(path string) error {
	// What was no matter before the run may have changed during it.
	err := checkStats(path, x.outputName(), x.flags.force)
	if err == nil {
		var text []byte
		if text, err = json.MarshalIndent(x.report(), "", "  "); err == nil {
			err = replaceFile(resolved(path), append(text, '\n'))
		}
	}
	if err != nil {
		// The usage was not wrong: a program that asks the exit status shall not take the output for missing.
		return errors.New(x.outputName() + " is whole, but its report is not written: " + err.Error())
	}
	return nil
}

// replaceFile puts a file in its place whole or not at all.
func replaceFile(path string, data []byte) (err error) {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".imgvec-"+strconv.Itoa(os.Getpid())+".tmp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
