package hub

import (
	"fmt"
	"path/filepath"
)

// freeSpace is how many bytes this user may still write to dir's disk; a variable for tests. Where that can't be told
// there is no check.
var freeSpace = diskFree

// room is an error where the disk has no room for the missing bytes and what is to be made of the file.
func (r *Request) room(missing, whole int64) error {
	dir := filepath.Dir(r.Path)
	free, ok := freeSpace(dir)
	need := missing + int64(r.Spare*float64(whole))
	if !ok || free >= need {
		return nil
	}
	return fmt.Errorf("the disk of %s has no room: %d MB are free, %d MB are needed; make room, or name another folder with IMGVEC_HOME",
		dir, free/1e6, (need+999_999)/1e6)
}
