package home

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
)

// Search looks for one native library.
type Search struct {
	Kind     string   // folder below HOME/lib: "onnxruntime", "codecs"
	Files    []string // file names, best first; a pattern of filepath.Match is fine
	Explicit string   // file or folder that an option names; nothing else is tried then
	Env      []string // environment variables that name a file or folder, best first; one that is set is as good as Explicit
	Want     string   // what is looked for, for the error: "ONNX Runtime 1.30 or later"
}

// Found is a library that Search found, or where it looked in vain.
type Found struct {
	Path  string   // absolute; "" where nothing was found
	By    string   // why this one: "option", an environment variable's name, "executable", "home", "cache"
	Tried []string // every path looked at, in order, the found one last
}

// Find goes through the places in order: Explicit, Env, the executable's folder and its lib/, HOME, the user's cache.
// The error wraps imgvec.ErrNoRuntime and lists every path tried. The loader's own search by soname is left to the
// caller, who must say so in Tried.
func (s Search) Find() (Found, error) {
	var found Found
	if s.Explicit != "" {
		err := s.only(&found, "option", s.Explicit)
		return found, err
	}
	for _, name := range s.Env {
		if value := os.Getenv(name); value != "" {
			err := s.only(&found, name, value)
			return found, err
		}
	}
	for _, place := range s.places() {
		if found.look(place, s.Files) {
			return found, nil
		}
	}
	return found, s.missing(found, "")
}

// only looks at the one place that somebody named: to go on elsewhere would hide their mistake.
func (s Search) only(found *Found, by, path string) error {
	path = absolute(path)
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		found.Tried = append(found.Tried, path)
		found.Path, found.By = path, by
		return nil
	}
	if isDir(path) {
		if found.look(place{by, path}, s.Files) {
			return nil
		}
	} else {
		found.Tried = append(found.Tried, path)
	}
	return s.missing(*found, by)
}

type place struct{ by, dir string }

func (s Search) places() []place {
	var places []place
	if exe, ok := executableDir(); ok {
		places = []place{
			{"executable", exe},
			{"executable", filepath.Join(exe, "lib")},
			{"executable", filepath.Join(exe, "lib", s.Kind)},
		}
	}
	for i, dir := range candidates() {
		by := "home"
		if i > 0 {
			by = "cache"
		}
		places = append(places, place{by, filepath.Join(dir, "lib", s.Kind)})
	}
	return places
}

// look tries every file name in one folder.
func (f *Found) look(in place, files []string) bool {
	for _, file := range files {
		pattern := filepath.Join(in.dir, file)
		if !slices.Contains(f.Tried, pattern) {
			f.Tried = append(f.Tried, pattern)
		}
		entries, err := os.ReadDir(in.dir) // not filepath.Glob: the folder's own name may hold a [
		if err != nil {
			continue
		}
		for _, entry := range entries {
			if ok, _ := filepath.Match(file, entry.Name()); ok && !entry.IsDir() {
				f.Path, f.By = filepath.Join(in.dir, entry.Name()), in.by
				return true
			}
		}
	}
	return false
}

func (s Search) missing(found Found, by string) error {
	from := ""
	if by != "" {
		from = fmt.Sprintf(" (named by %s)", by)
	}
	remedy := `run "imgvec setup" to get it`
	if Dir() == nowhere {
		remedy = "this user has no home folder: set $" + Env + " to one of theirs, then " + remedy
	}
	return fmt.Errorf("imgvec: find %s%s: %w: not found; %s; tried:\n  %s",
		s.Want, from, imgvec.ErrNoRuntime, remedy, strings.Join(found.Tried, "\n  "))
}
