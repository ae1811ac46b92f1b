package home

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// Env is the environment variable that names the folder.
const Env = "IMGVEC_HOME"

const (
	local  = "third_party"
	module = "module github.com/imgvec/imgvec\n"
)

// nowhere stands for HOME where the user has none: it can't be made but by root, whose it then is, and an error about it
// says what to do. A folder below the system's temporary one will not do: anybody could put libraries there first.
const nowhere = "/nonexistent/" + Env + "-is-not-set"

// Dir is the folder that holds native libraries and models, absolute where the system tells; it need not exist yet.
// Where there is no user's folder to put it in, it is a path that can't be made and says so.
func Dir() string {
	for _, c := range candidates() {
		if c.why == "" {
			return c.dir
		}
	}
	return nowhere
}

// Models is the folder of installed models, HOME/models.
func Models() string { return filepath.Join(Dir(), "models") }

// candidate is a folder that could be HOME.
type candidate struct {
	dir  string
	from *anchor // nil: somebody named it
	why  string  // it is not HOME though it is there: what is in it is not opened, so nothing should be installed there
}

// candidates are the folders that could be HOME, best first. One that the variable names is the only one.
func candidates() []candidate {
	var found []candidate
	if dir := os.Getenv(Env); dir != "" {
		return []candidate{{dir: absolute(dir)}}
	}
	add := func(from anchor) {
		if dir := filepath.Join(from.root, local); isDir(dir) {
			found = append(found, candidate{dir, &from, from.distrust(dir)})
		}
	}
	if exe, ok := executable(); ok {
		add(exe)
	}
	if root, ok := moduleRoot(); ok {
		add(anchor{root, filepath.Join(root, "go.mod")})
	}
	if dir, ok := cacheDir(); ok {
		found = append(found, candidate{dir: dir, from: &anchor{root: dir}})
	}
	return found
}

// cacheDir is in the user's cache folder, also where $HOME is not set, as in a bare container.
func cacheDir() (string, bool) {
	dir, err := os.UserCacheDir()
	if err != nil {
		who, err := user.Current()
		if err != nil || !filepath.IsAbs(who.HomeDir) {
			return "", false
		}
		dir = filepath.Join(who.HomeDir, ".cache")
	}
	return filepath.Join(dir, "imgvec"), true
}

// executable is the running program and its folder, links followed, so that a link in ~/bin finds what lies beside the
// real file.
func executable() (anchor, bool) {
	exe, err := os.Executable()
	if err != nil {
		return anchor{}, false
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return anchor{root: filepath.Dir(exe), proof: exe}, true
}

// moduleRoot finds this module's source for tests and "go run" only: an installed program must not take libraries from
// wherever it happens to be started.
func moduleRoot() (string, bool) {
	exe, err := os.Executable()
	if err != nil || (!strings.HasSuffix(exe, ".test") && !strings.Contains(exe, string(filepath.Separator)+"go-build")) {
		return "", false
	}
	dir, err := os.Getwd()
	for err == nil {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(text), module) {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return "", false
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
