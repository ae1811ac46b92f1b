package home_test

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

func touch(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func search() home.Search {
	return home.Search{Kind: "onnxruntime", Files: []string{"liby.so.1.30.0", "liby.so.*"}, Env: []string{"IMGVEC_TEST_LIB"}, Want: "liby 1.30"}
}

func TestDirIsTheVariables(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(home.Env, dir)
	if got := home.Dir(); got != dir {
		t.Errorf("Dir() = %q, want %q", got, dir)
	}
	if got := home.Models(); got != filepath.Join(dir, "models") {
		t.Errorf("Models() = %q", got)
	}
}

// Nobody else may choose the libraries of a user without a home folder: nothing is taken from a folder that all can write to.
func TestNoHomeFolder(t *testing.T) {
	temp := t.TempDir()
	for _, name := range []string{home.Env, "HOME", "XDG_CACHE_HOME"} {
		t.Setenv(name, "")
	}
	t.Setenv("TMPDIR", temp)
	t.Chdir(t.TempDir()) // not in the module, which has a third_party
	planted := touch(t, temp, "imgvec", "lib", "onnxruntime", "liby.so.1.30.0")
	if found, err := search().Find(); err == nil && found.Path == planted {
		t.Errorf("took %s", planted)
	}
	who, err := user.Current()
	if err == nil && filepath.IsAbs(who.HomeDir) {
		if got := home.Dir(); !strings.HasPrefix(got, who.HomeDir) {
			t.Errorf("Dir() = %q, %s lives in %q", got, who.Username, who.HomeDir)
		}
		return
	}
	if got := home.Dir(); !strings.Contains(got, home.Env) || !filepath.IsAbs(got) {
		t.Errorf("Dir() = %q", got)
	}
}

func TestFindPrefersOptionThenEnvironmentThenHome(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(home.Env, dir)
	inHome := touch(t, dir, "lib", "onnxruntime", "liby.so.1.30.0")
	inEnv := touch(t, t.TempDir(), "liby.so.1.29.0")
	explicit := touch(t, t.TempDir(), "other.so")

	found, err := search().Find()
	if err != nil || found.Path != inHome || found.By != "home" {
		t.Errorf("home: %+v, %v", found, err)
	}
	t.Setenv("IMGVEC_TEST_LIB", filepath.Dir(inEnv)) // a folder, and a file of another version
	found, err = search().Find()
	if err != nil || found.Path != inEnv || found.By != "IMGVEC_TEST_LIB" {
		t.Errorf("environment: %+v, %v", found, err)
	}
	s := search()
	s.Explicit = explicit
	found, err = s.Find()
	if err != nil || found.Path != explicit || found.By != "option" {
		t.Errorf("option: %+v, %v", found, err)
	}
}

// Somebody who names a library wants that one: another one must not be taken in silence.
func TestFindDoesNotGoOnFromANamedPlace(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(home.Env, dir)
	touch(t, dir, "lib", "onnxruntime", "liby.so.1.30.0")
	t.Setenv("IMGVEC_TEST_LIB", filepath.Join(dir, "no-such.so"))
	found, err := search().Find()
	if !errors.Is(err, imgvec.ErrNoRuntime) || found.Path != "" || !strings.Contains(err.Error(), "IMGVEC_TEST_LIB") {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestFindListsEveryPathTried(t *testing.T) {
	t.Setenv(home.Env, "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := search()
	s.Files = []string{"libnowhere.so.1"}
	found, err := s.Find()
	if !errors.Is(err, imgvec.ErrNoRuntime) {
		t.Fatal(err)
	}
	for _, path := range []string{
		filepath.Join(filepath.Dir(exe), "libnowhere.so.1"),
		filepath.Join(filepath.Dir(exe), "lib", "libnowhere.so.1"),
		filepath.Join(os.Getenv("XDG_CACHE_HOME"), "imgvec", "lib", "onnxruntime", "libnowhere.so.1"),
	} {
		if !slices.Contains(found.Tried, path) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q is not among the paths tried: %v", path, err)
		}
	}
	if !strings.Contains(err.Error(), "liby 1.30") || !strings.Contains(err.Error(), "imgvec setup") {
		t.Errorf("neither version nor remedy: %v", err)
	}
}

// A person reads the first line: what is missing, and what to do. The paths come after it, each once and on its own line.
func TestFindsErrorBeginsWithTheRemedy(t *testing.T) {
	t.Setenv(home.Env, t.TempDir())
	s := search()
	s.Files = []string{"libnowhere.so.1"}
	found, err := s.Find()
	lines := strings.Split(err.Error(), "\n")
	if !strings.Contains(lines[0], "liby 1.30") || !strings.Contains(lines[0], `run "imgvec setup"`) || len(lines) != 1+len(found.Tried) {
		t.Errorf("%d paths: %v", len(found.Tried), err)
	}
	for i, path := range found.Tried {
		if lines[i+1] != "  "+path || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%q is not on line %d alone: %v", path, i+2, err)
		}
	}
	t.Setenv("IMGVEC_TEST_LIB", "/no/such.so")
	if _, err := s.Find(); !strings.Contains(err.Error(), "unset it and run") || !strings.Contains(err.Error(), "$IMGVEC_TEST_LIB") {
		t.Errorf("setup alone does not help: %v", err)
	}
}
