package fetch

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain takes away the Python that a person may have named: the tests bring their own.
func TestMain(m *testing.M) {
	if err := os.Unsetenv(pythonVariable); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// fakePip puts a python3 on an otherwise empty PATH, whose `-m pip download` runs the given shell lines with $dest set. Every
// download adds a line to the returned file.
func fakePip(t *testing.T, download string) (calls string) {
	t.Helper()
	bin := t.TempDir()
	calls = filepath.Join(bin, "calls")
	script := fmt.Sprintf(`#!/bin/sh
PATH=/usr/bin:/bin
case "$3" in --version) echo pip 1; exit 0;; esac
echo "$@" >> %q
while [ $# -gt 0 ]; do
	case "$1" in --dest) dest=$2;; --requirement) requirement=$2;; esac
	shift
done
%s
`, calls, download)
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	return calls
}

// bring is what a fake pip runs to deliver files that lie in dir.
func bring(dir string) string {
	return fmt.Sprintf(`name=$(sed 's/==.*//' "$requirement"); cp %q/"$name"-* "$dest"/`, dir)
}

func countLines(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(data), "\n")
}

// fakePiece makes a wheel of the given members in dir, and the piece that pins it.
func fakePiece(t *testing.T, dir, name string, members map[string]string) Piece {
	t.Helper()
	piece := Piece{Dir: "lib/" + name, What: "the " + name + " libraries"}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for member, text := range members {
		w, err := z.Create("pkg/" + member)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		piece.Members = append(piece.Members, Member{"pkg/" + member, member, int64(len(text)), sum([]byte(text))})
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	piece.Pin = fakePin(t, dir, name, buf.Bytes())
	return piece
}

func fakePin(t *testing.T, dir, name string, data []byte) Pin {
	t.Helper()
	pin := Pin{Name: name, Version: "1.0", Python: "311", File: name + "-1.0.whl", Size: int64(len(data)), SHA256: sum(data)}
	if err := os.WriteFile(filepath.Join(dir, pin.File), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return pin
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// leftovers lists what an interrupted or refused download must not leave.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".") && d.Name() != ".lock" {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
