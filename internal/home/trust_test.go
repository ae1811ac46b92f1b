//go:build unix

package home_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/home"
)

// TestMain lets this test's executable stand for a program in another folder: it prints what it finds, and HOME.
func TestMain(m *testing.M) {
	if os.Getenv("IMGVEC_TEST_FIND") == "" {
		os.Exit(m.Run())
	}
	found, err := search().Find()
	answer := answer{Path: found.Path, By: found.By, Dir: home.Dir(), Tried: found.Tried}
	if err != nil {
		answer.Err = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		panic(err)
	}
}

type answer struct {
	Path, By, Dir, Err string
	Tried              []string
}

// program is a copy of this executable in a folder of its own.
func program(t *testing.T) (dir, path string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	// Below a folder that everybody can write to, as /tmp is: what is above the program's own folder is not judged.
	public := filepath.Join(t.TempDir(), "public")
	dir = filepath.Join(public, "bin")
	path = filepath.Join(dir, "program")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	chmod(t, public, 0o777|os.ModeSticky)
	return dir, path
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, program string, env ...string) answer {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), append([]string{"IMGVEC_TEST_FIND=1", home.Env + "=", "XDG_CACHE_HOME=" + t.TempDir()}, env...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return a
}

const planted = "liby.so.1.30.0"

// beside are the automatic places, as folders below the program's.
var beside = []string{".", "lib", "lib/onnxruntime", "third_party/lib/onnxruntime"}

func TestFindTakesWhatLiesBesideTheProgram(t *testing.T) {
	for _, place := range beside {
		dir, exe := program(t)
		lib := touch(t, dir, place, planted)
		if a := ask(t, exe); a.Path != lib {
			t.Errorf("%s: %+v", place, a)
		}
	}
}

// Whoever can write to a folder beside the program must not choose the code that its users run.
func TestFindTakesNothingThatEverybodyCouldWrite(t *testing.T) {
	for _, place := range beside {
		for at := place; ; at = filepath.Dir(at) {
			dir, exe := program(t)
			lib := touch(t, dir, place, planted)
			chmod(t, filepath.Join(dir, at), 0o777|os.ModeSticky)
			a := ask(t, exe)
			if a.Path != "" || strings.HasPrefix(a.Dir, dir) && (at == "." || at == "third_party") {
				t.Errorf("library in %s, %s is 1777: took %q, HOME is %q", place, at, a.Path, a.Dir)
			}
			told := func(s string) bool {
				return strings.Contains(s, "not used: everybody can write to "+filepath.Join(dir, at)) && strings.Contains(s, home.Env)
			}
			if !slices.ContainsFunc(a.Tried, told) || !told(a.Err) {
				t.Errorf("library in %s, %s is 1777: it is not said why: %s", place, at, a.Err)
			}
			// Named, it is taken: that is somebody's decision.
			if a := ask(t, exe, "IMGVEC_TEST_LIB="+filepath.Dir(lib)); a.Path != lib {
				t.Errorf("named: %+v", a)
			}
			if at == "." {
				break
			}
		}
		dir, exe := program(t)
		chmod(t, touch(t, dir, place, planted), 0o666)
		if a := ask(t, exe); a.Path != "" || !strings.Contains(a.Err, planted+" (not used: everybody can write to it") {
			t.Errorf("a file that everybody can write to, in %s: %+v", place, a)
		}
	}
}

func TestFindTakesNothingOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const nobody = 65534
	dir, exe := program(t)
	lib := touch(t, dir, "third_party/lib/onnxruntime", planted)
	theirs := filepath.Join(dir, "third_party")
	if err := os.Chown(theirs, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	a := ask(t, exe)
	if a.Path != "" || strings.HasPrefix(a.Dir, dir) || !strings.Contains(a.Err, theirs+" belongs to another user (65534)") {
		t.Errorf("%+v", a)
	}
	// The program's owner could change the program as well: a build of theirs that root runs finds its libraries.
	if err := os.Chown(exe, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if a := ask(t, exe); a.Path != lib || a.By != "home" {
		t.Errorf("of the program's owner: %+v", a)
	}
}
