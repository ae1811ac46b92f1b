package home

import (
	"fmt"
	"os"
	"path/filepath"
)

// anchor is where a place that nobody named begins. From there down nobody but its owner may be able to put a library:
// what is above is the business of those who put the program there.
type anchor struct {
	root  string // the executable's folder, the module's root, the cache folder
	proof string // file or folder whose owner is trusted besides root and this user: the program itself, which they could change as well
}

// distrust says why nothing in dir is opened, "" where all is well: dir and its parents up to the anchor must belong to
// root, this user or the program's owner, and not everybody may write to them. A folder that is missing is no reason.
func (a anchor) distrust(dir string) string {
	for {
		if why := a.distrustOne(dir); why != "" {
			return why
		}
		parent := filepath.Dir(dir)
		if dir == a.root || parent == dir {
			return ""
		}
		dir = parent
	}
}

func (a anchor) distrustOne(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "" // nothing can be opened there
	}
	if writableByAll(info) {
		return fmt.Sprintf("everybody can write to %s (chmod o-w %s)", path, path)
	}
	uid, known := owner(info)
	if !known || uid == 0 || uid == os.Geteuid() {
		return ""
	}
	if proof, err := os.Stat(a.proof); err == nil {
		if trusted, _ := owner(proof); trusted == uid {
			return ""
		}
	}
	return fmt.Sprintf("%s belongs to another user (%d)", path, uid)
}

// notUsed is a path for Found.Tried that was passed over.
func notUsed(path, why string) string {
	return fmt.Sprintf("%s (not used: %s; if that is fine, name it with $%s)", path, why, Env)
}
