//go:build !linux

package dataset

import (
	"io/fs"
	"os"
)

// renameNew renames without replacing, after a look: only Linux can do both in one step.
func renameNew(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}
