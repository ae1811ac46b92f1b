package home

import (
	"os"
	"path/filepath"
	"strings"
)

// Env is the environment variable that names the folder.
const Env = "IMGVEC_HOME"

const (
	local  = "third_party"
	module = "module github.com/imgvec/imgvec\n"
)

// Dir is the folder that holds native libraries and models, absolute where the system tells; it need not exist yet.
func Dir() string { return candidates()[0] }

// Models is the folder of installed models, HOME/models.
func Models() string { return filepath.Join(Dir(), "models") }

// Libraries is the folder of installed libraries of one kind ("onnxruntime", "codecs"), HOME/lib/kind.
func Libraries(kind string) string { return filepath.Join(Dir(), "lib", kind) }

// candidates are the folders that could be HOME, best first; never empty. One that the variable names is the only one.
func candidates() []string {
	var dirs []string
	if dir := os.Getenv(Env); dir != "" {
		return []string{absolute(dir)}
	}
	if dir := filepath.Join(executableDir(), local); isDir(dir) {
		dirs = append(dirs, dir)
	}
	if root, ok := moduleRoot(); ok && isDir(filepath.Join(root, local)) {
		dirs = append(dirs, filepath.Join(root, local))
	}
	return append(dirs, cacheDir())
}

func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil { // no $HOME, as in a bare container
		dir = os.TempDir()
	}
	return filepath.Join(dir, "imgvec")
}

// executableDir is the folder of the running program, links followed, so that a link in ~/bin finds what lies beside
// the real file.
func executableDir() string {
	exe, err := os.Executable()
	if err != nil {
		return "."
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return filepath.Dir(exe)
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
