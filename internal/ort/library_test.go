package ort

import (
	"errors"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

func TestNamesAreThisSystems(t *testing.T) {
	for system, end := range map[string]string{"linux": ".so", "darwin": ".dylib"} {
		soname, files := namesOn(system)
		for _, file := range append(files, soname) {
			if !strings.Contains(file, end) || (system == "linux") == strings.Contains(file, "dylib") {
				t.Errorf("%s: %s", system, file)
			}
		}
	}
}

// A library that is nowhere is an error of ours, not the loader's: the remedy is on its first line, the paths follow.
func TestNoLibraryAtAll(t *testing.T) {
	t.Setenv(home.SystemEnv, "") // the loader is asked last
	t.Setenv(home.Env, t.TempDir())
	for _, name := range LibraryVariables {
		t.Setenv(name, "")
	}
	found, err := findCore("")
	if err != nil {
		t.Fatal(err)
	}
	if found.By != byLoader {
		t.Skipf("this machine has %s", found.Path)
	}
	err = notLoaded(found, errors.New(soname+": cannot open shared object file: No such file or directory"))
	first, paths, _ := strings.Cut(err.Error(), "\n")
	if !errors.Is(err, imgvec.ErrNoRuntime) || !strings.Contains(first, Want) || !strings.HasSuffix(first, `run "imgvec setup" to get it; tried:`) ||
		strings.Contains(err.Error(), "cannot open shared object") {
		t.Errorf("first line: %s", first)
	}
	for _, path := range found.Tried {
		if strings.Count("\n"+paths+"\n", "\n  "+path+"\n") != 1 {
			t.Errorf("%q is not there once: %s", path, paths)
		}
	}
}

func TestADamagedLibraryThatAVariableNames(t *testing.T) {
	t.Setenv(LibraryVariables[0], "/etc/passwd")
	_, err := findCore("")
	if !errors.Is(err, imgvec.ErrNoRuntime) || !strings.Contains(err.Error(), "$"+LibraryVariables[0]) || !strings.Contains(err.Error(), "unset") {
		t.Errorf("%v", err)
	}
}
