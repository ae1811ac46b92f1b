package fetch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/home"
)

func twoPieces(t *testing.T, source string) []Piece {
	return []Piece{
		fakePiece(t, source, "alpha", map[string]string{"liba.so": "library a", "LICENSE.a": "licence"}),
		fakePiece(t, source, "beta", map[string]string{"libb.so": "library b"}),
	}
}

func TestSetupFillsTheHome(t *testing.T) {
	source, dir := t.TempDir(), filepath.Join(t.TempDir(), "not", "there")
	pieces := twoPieces(t, source)
	calls := fakePip(t, bring(source))
	var log strings.Builder
	opts := Options{Home: dir, Log: func(s string) { log.WriteString(s + "\n") }}
	if err := setup(t.Context(), opts, pieces); err != nil {
		t.Fatal(err)
	}
	checkHome(t, dir, pieces)
	if !strings.Contains(log.String(), "downloading alpha 1.0") || !strings.Contains(log.String(), "the beta libraries") {
		t.Errorf("log = %q", log.String())
	}

	log.Reset()
	t.Setenv("PATH", t.TempDir()) // no pip any more: a second set-up needs none
	if err := os.RemoveAll(filepath.Join(dir, DownloadsDir)); err != nil {
		t.Fatal(err)
	}
	if err := setup(t.Context(), opts, pieces); err != nil {
		t.Errorf("second set-up: %v", err)
	}
	if log.Len() > 0 || countLines(t, calls) != 2 {
		t.Errorf("second set-up was not a no-op: %q", log.String())
	}
}

// checkHome compares every file with its pin and with the manifest.
func checkHome(t *testing.T, dir string, pieces []Piece) {
	t.Helper()
	known, err := home.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		for _, member := range piece.Members {
			rel := piece.Dir + "/" + member.Name
			if err := checkFile(filepath.Join(dir, rel), member.Size, member.SHA256); err != nil {
				t.Error(err)
			}
			if !untouched(filepath.Join(dir, rel), known[rel], member.SHA256) {
				t.Errorf("the manifest does not know %s", rel)
			}
		}
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSetupMendsWhatIsDamaged(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	pieces := twoPieces(t, source)
	calls := fakePip(t, bring(source))
	opts := Options{Home: dir}
	if err := setup(t.Context(), opts, pieces); err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(dir, "lib/alpha/liba.so")
	for name, damage := range map[string]func() error{
		"truncated": func() error { return os.Truncate(library, 3) },
		"changed":   func() error { return os.WriteFile(library, []byte("library A"), 0o644) },
		"removed":   func() error { return os.Remove(library) },
		"manifest":  func() error { return os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("{"), 0o644) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if err := setup(t.Context(), opts, pieces); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checkHome(t, dir, pieces)
	}
	if n := countLines(t, calls); n != 2 {
		t.Errorf("pip ran %d times: the wheels were there, so the first two would do", n)
	}
}

func TestSetupGoesOnAfterAnInterruption(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	pieces := twoPieces(t, source)
	fakePip(t, `case $(cat "$requirement") in beta*) echo "network is gone" >&2; exit 1;; esac; `+bring(source))
	err := setup(t.Context(), Options{Home: dir}, pieces)
	if err == nil || !strings.Contains(err.Error(), "network is gone") {
		t.Fatalf("error = %v", err)
	}
	checkHome(t, dir, pieces[:1])

	calls := fakePip(t, bring(source))
	if err := setup(t.Context(), Options{Home: dir}, pieces); err != nil {
		t.Fatal(err)
	}
	checkHome(t, dir, pieces)
	if n := countLines(t, calls); n != 1 {
		t.Errorf("pip ran %d times, want once for the missing piece", n)
	}
}

func TestSetupRefusesAWheelWithAnotherMember(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	pieces := twoPieces(t, source)
	pieces[0].Members[0].SHA256 = sum([]byte("something else"))
	fakePip(t, bring(source))
	err := setup(t.Context(), Options{Home: dir}, pieces)
	if err == nil || !strings.Contains(err.Error(), "not the pinned file") {
		t.Errorf("error = %v", err)
	}
	name := pieces[0].Members[0].Name
	if _, err := os.Stat(filepath.Join(dir, "lib/alpha", name)); !os.IsNotExist(err) {
		t.Errorf("%s got its final name (%v)", name, err)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSetupAdoptsFilesWithoutAManifest(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	pieces := twoPieces(t, source)
	fakePip(t, bring(source))
	if err := setup(t.Context(), Options{Home: dir}, pieces); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"manifest.json", DownloadsDir} {
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if err := setup(t.Context(), Options{Home: dir}, pieces); err != nil {
		t.Fatal(err)
	}
	checkHome(t, dir, pieces)
}

func TestPiecesOfOtherPlatforms(t *testing.T) {
	for _, platform := range [][2]string{{"linux", "arm64"}, {"darwin", "arm64"}, {"windows", "amd64"}} {
		_, err := piecesFor(platform[0], platform[1])
		if err == nil || !strings.Contains(err.Error(), platform[0]+"/"+platform[1]) {
			t.Errorf("%v: error = %v", platform, err)
		}
		if _, err := gpuPiecesFor(platform[0], platform[1]); err == nil || !strings.Contains(err.Error(), platform[0]+"/"+platform[1]) {
			t.Errorf("%v, GPU: error = %v", platform, err)
		}
	}
}
