package home_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

// install copies a real ELF file (this test's own executable) into a HOME, with or without a manifest entry.
func install(t *testing.T, listed bool) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "lib", "onnxruntime", "libx.so")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if !listed {
		return path
	}
	entry, err := home.NewEntry(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := home.WriteManifest(dir, map[string]home.Entry{"lib/onnxruntime/libx.so": entry}); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantDamaged(t *testing.T, path, why string) {
	t.Helper()
	err := home.Check(path)
	if !errors.Is(err, imgvec.ErrNoRuntime) || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "imgvec setup") {
		t.Fatalf("Check = %v, want ErrNoRuntime with %q and the remedy", err, why)
	}
}

func TestCheckTakesWholeFiles(t *testing.T) {
	for _, listed := range []bool{true, false} {
		if err := home.Check(install(t, listed)); err != nil {
			t.Errorf("listed %v: %v", listed, err)
		}
	}
}

func TestCheckRefusesTruncatedFiles(t *testing.T) {
	for _, listed := range []bool{true, false} {
		path := install(t, listed)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		// The last byte too: it belongs to the section headers or the last section.
		for _, size := range []int64{info.Size() - 1, info.Size() / 2, 100, 0} {
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
			if err := home.Check(path); !errors.Is(err, imgvec.ErrNoRuntime) {
				t.Errorf("listed %v, cut to %d of %d bytes: %v", listed, size, info.Size(), err)
			}
		}
	}
}

func TestCheckHashesWhereTheStampDiffers(t *testing.T) {
	path := install(t, true)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if err := home.Check(path); err != nil {
		t.Errorf("touched: %v", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("changed"), 2000); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	wantDamaged(t, path, "SHA-256")
}

// Archives and container layers keep whole seconds only; a start must not hash 120 MB because of that.
func TestCheckTakesStampsInWholeSeconds(t *testing.T) {
	path := install(t, true)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := info.ModTime().Truncate(time.Second)
	data := make([]byte, info.Size()) // other content, so that hashing would refuse it
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, whole, whole); err != nil {
		t.Fatal(err)
	}
	if err := home.Check(path); err != nil {
		t.Errorf("whole seconds were hashed: %v", err)
	}
}

func TestCheckNamesABrokenManifest(t *testing.T) {
	path := install(t, true)
	manifest := filepath.Join(filepath.Dir(path), "..", "..", home.ManifestFile)
	t.Setenv(home.Env, filepath.Dir(filepath.Clean(manifest)))
	if err := os.WriteFile(manifest, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantDamaged(t, path, "manifest")
}

func TestCheckMissing(t *testing.T) {
	if err := home.Check(filepath.Join(t.TempDir(), "libx.so")); !errors.Is(err, imgvec.ErrNoRuntime) {
		t.Errorf("missing file: %v", err)
	}
}

// A manifest.json is a common name: one of a stranger says nothing about a good library that an option names.
func TestCheckMindsNoStrangersManifest(t *testing.T) {
	path := install(t, false)
	root := filepath.Dir(filepath.Dir(filepath.Dir(path)))
	for _, text := range []string{`["a"]`, `{"files": ["a"]}`, `{"files": {"lib/onnxruntime/libx.so": "abc"}}`, `{"files": {"lib/onnxruntime/libx.so": {"integrity": "x"}}}`} {
		if err := os.WriteFile(filepath.Join(root, home.ManifestFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := home.Check(path); err != nil {
			t.Errorf("beside %s: %v", text, err)
		}
	}
	// An entry of a folder that is not one of HOME's.
	other := filepath.Join(root, "lib", "python3", "libx.so")
	if err := os.MkdirAll(filepath.Dir(other), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, other); err != nil {
		t.Fatal(err)
	}
	entry := home.Entry{SHA256: strings.Repeat("0", 64), Size: 1}
	if err := home.WriteManifest(root, map[string]home.Entry{"lib/python3/libx.so": entry}); err != nil {
		t.Fatal(err)
	}
	if err := home.Check(other); err != nil {
		t.Errorf("in lib/python3: %v", err)
	}
}

func TestWriteManifestSweepsWhatAKilledOneLeft(t *testing.T) {
	dir := t.TempDir()
	touch(t, dir, ".manifest-123")
	kept := touch(t, dir, "manifest.json.bak")
	if err := home.WriteManifest(dir, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".manifest-123")); err == nil {
		t.Error("a killed write's file is still there")
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("the user's own file: %v", err)
	}
}
