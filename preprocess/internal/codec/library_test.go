package codec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/home"
)

// fresh is a library that was not opened yet.
func fresh(l *library) *library {
	return &library{name: l.name, files: l.files, needs: l.needs, sonames: l.sonames, bind: l.bind}
}

func TestLibraryMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(home.Env, dir)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		t.Skip("no /proc")
	}
	l := fresh(libwebp)
	l.files = "libnone-*.so*"
	_, err := l.use(fromPillow)
	if err == nil {
		t.Fatal("found a library that does not exist")
	}
	for _, want := range []string{"libwebp", filepath.Join(dir, "lib", "codecs"), "imgvec setup"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// TestLibraryDamaged puts truncated libraries where they are looked for: opening one would kill the process.
func TestLibraryDamaged(t *testing.T) {
	requireNative(t, libwebp)
	requireNative(t, libtiff)
	for _, c := range []struct {
		l    *library
		hurt string
	}{{libwebp, "libwebp-"}, {libwebp, "libsharpyuv-"}, {libtiff, "libtiff-"}, {libtiff, "libjpeg-"}, {libtiff, "libzstd-"}} {
		t.Run(c.hurt, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "lib", "codecs")
			copyLibraries(t, filepath.Dir(c.l.pillow.path), dir, c.hurt)
			t.Setenv(home.Env, filepath.Dir(filepath.Dir(dir)))
			l := fresh(c.l)
			_, err := l.use(fromPillow)
			if err == nil || !strings.Contains(err.Error(), c.hurt) || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("a truncated %s: %v", c.hurt, err)
			}
		})
	}
}

// copyLibraries copies a folder; files whose name begins with hurt lose their last third.
func copyLibraries(t *testing.T, from, to, hurt string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Name(), hurt) {
			data = data[:len(data)*2/3]
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSystemLibrariesOff(t *testing.T) {
	t.Setenv(home.SystemEnv, "off")
	if _, err := fresh(libwebp).use(fromSystem); err == nil || !strings.Contains(err.Error(), home.SystemEnv) {
		t.Errorf("%v", err)
	}
}

func TestNoLibraryInGoMode(t *testing.T) {
	l := fresh(libtiff)
	l.bind = func(string) (any, string, string, error) {
		t.Error("a library was opened")
		return nil, "", "", nil
	}
	if _, err := l.use(fromGo); err == nil {
		t.Error("no reason given")
	}
}
