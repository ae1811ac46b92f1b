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
	Tried []string // every path looked at, in order, the found one last; one that was passed over says why
}

// Find goes through the places in order: Explicit, Env, the executable's folder and its lib/, HOME, the user's cache.
// Of those, a place that nobody named is passed over where others could have put the library there: everybody can write
// to it, or it belongs neither to root nor to this user nor to the program's owner.
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
	return found, s.Missing(found)
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
		if found.look(place{by: by, dir: path}, s.Files) {
			return nil
		}
	} else {
		found.Tried = append(found.Tried, path)
	}
	return s.missing(*found, by)
}

type place struct {
	by, dir string
	from    *anchor // nil: somebody named it
}

func (s Search) places() []place {
	var places []place
	if exe, ok := executable(); ok {
		places = []place{
			{"executable", exe.root, &exe},
			{"executable", filepath.Join(exe.root, "lib"), &exe},
			{"executable", filepath.Join(exe.root, "lib", s.Kind), &exe},
		}
	}
	for _, c := range candidates() {
		by := "cache"
		if c.dir == Dir() {
			by = "home"
		}
		places = append(places, place{by, filepath.Join(c.dir, "lib", s.Kind), c.from})
	}
	return places
}

// look tries every file name in one folder.
func (f *Found) look(in place, files []string) bool {
	if in.from != nil {
		if why := in.from.distrust(in.dir); why != "" {
			f.Tried = append(f.Tried, notUsed(in.dir, why))
			return false
		}
	}
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
			if ok, _ := filepath.Match(file, entry.Name()); !ok || entry.IsDir() {
				continue
			}
			path := filepath.Join(in.dir, entry.Name())
			if info, err := os.Stat(path); in.from != nil && err == nil && writableByAll(info) {
				f.Tried = append(f.Tried, notUsed(path, "everybody can write to it"))
				continue
			}
			f.Path, f.By = path, in.by
			return true
		}
	}
	return false
}

// Missing is Find's error for a library that is in none of found.Tried, for a caller that looked in one place more: its
// first line says what is missing and what to do, the paths follow, a line each.
func (s Search) Missing(found Found) error { return s.missing(found, "") }

func (s Search) missing(found Found, by string) error {
	from := ""
	if by != "" {
		from = fmt.Sprintf(" (named by %s)", by)
	}
	remedy := `run "imgvec setup" to get it`
	if Dir() == nowhere {
		remedy = "this user has no home folder: set $" + Env + " to one of theirs, then " + remedy
	}
	if slices.Contains(s.Env, by) { // setup alone would not help
		remedy = fmt.Sprintf(`correct $%s, or unset it and run "imgvec setup"`, by)
	}
	return fmt.Errorf("imgvec: find %s%s: %w: not found; %s; tried:\n  %s",
		s.Want, from, imgvec.ErrNoRuntime, remedy, strings.Join(found.Tried, "\n  "))
}
