package fetch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Somebody who runs the set-up in a folder of unpacked files must not run a pip.py of that folder.
func TestPipOfTheCurrentFolderIsNotRun(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	cwd, bin := t.TempDir(), t.TempDir()
	mark := filepath.Join(t.TempDir(), "ran")
	hostile := fmt.Sprintf("open(%q, 'a').write('x')\n", mark)
	for _, name := range []string{"pip.py", "pip3.py", "sitecustomize.py", "json.py"} {
		if err := os.WriteFile(filepath.Join(cwd, name), []byte(hostile), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Only this Python, with its own pip or none; one of before 3.11 does not know PYTHONSAFEPATH, so the folder alone must do.
	script := fmt.Sprintf("#!/bin/sh\nunset PYTHONSAFEPATH\nexec %q \"$@\"\n", python)
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	t.Setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
	t.Setenv("PIP_RETRIES", "0")
	t.Chdir(cwd)
	for _, dir := range []string{"downloads", filepath.Join(t.TempDir(), "downloads")} {
		_, err := Wheel(t.Context(), Pin{Name: "no-such-package", Version: "1.0", Python: "311", File: "a.whl", SHA256: sum(nil)}, dir, nil)
		if err == nil {
			t.Error("a wheel that is nowhere was got")
		}
		if _, err := os.Stat(mark); err == nil {
			t.Fatalf("downloading into %s ran Python of the current folder", dir)
		}
	}
}

// TestThePythonThatIsNamedComesFirst: that of the Python package, whose pip knows the environment's settings. One without
// pip is no obstacle.
func TestThePythonThatIsNamedComesFirst(t *testing.T) {
	source := t.TempDir()
	pin := fakePin(t, source, "alpha", []byte("x"))
	named := fakePip(t, bring(source))
	path := filepath.Join(os.Getenv("PATH"), "python3")
	other := fakePip(t, bring(source))
	t.Setenv(pythonVariable, path)
	if _, err := Wheel(t.Context(), pin, t.TempDir(), nil); err != nil {
		t.Error(err)
	}
	if countLines(t, named) != 1 || countLines(t, other) != 0 {
		t.Errorf("the Python that was named was asked %d times, the other %d times", countLines(t, named), countLines(t, other))
	}
	t.Setenv(pythonVariable, "/bin/false")
	if _, err := Wheel(t.Context(), pin, t.TempDir(), nil); err != nil || countLines(t, other) != 1 {
		t.Errorf("with a Python that has no pip: %v", err)
	}
}

func TestPipRunsInTheDownloadsOwnFolderAndIsToldSo(t *testing.T) {
	source := t.TempDir()
	pin := fakePin(t, source, "alpha", []byte("x"))
	fakePip(t, `[ "$PYTHONSAFEPATH" = 1 ] && [ "$(pwd)" = "$dest" ] || exit 1; `+bring(source))
	t.Chdir(t.TempDir())
	if _, err := Wheel(t.Context(), pin, "relative", nil); err != nil {
		t.Error(err)
	}
}
