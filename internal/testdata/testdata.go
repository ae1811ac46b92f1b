package testdata

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/home"
)

// Require ends the test because what ("testdata", "ort", "openvino", "codecs", "gpu", "sim") is missing: it fails where
// IMGVEC_REQUIRE names what, and skips elsewhere.
func Require(t testing.TB, what, reason string) {
	t.Helper()
	required := strings.FieldsFunc(os.Getenv("IMGVEC_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' })
	if slices.Contains(required, what) {
		t.Fatalf("%s is required by IMGVEC_REQUIRE and missing: %s", what, reason)
	}
	t.Skipf("needs %s: %s", what, reason)
}

// Dir is the folder of test data: $IMGVEC_TESTDATA, else ../shared/testdata from the module's root. Where it is absent
// the test ends as Require does.
func Dir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("IMGVEC_TESTDATA")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "testdata")
	}
	if _, err := os.Stat(filepath.Join(dir, "refs")); err != nil {
		Require(t, "testdata", "no folder "+dir+" (set IMGVEC_TESTDATA)")
	}
	return dir
}

// Path is the path of one file of the test data.
func Path(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(Dir(t), filepath.FromSlash(name))
}

// Home is the folder with the native libraries. Where it holds none the test ends as Require does.
func Home(t testing.TB) string {
	t.Helper()
	dir := home.Dir()
	if _, err := os.Stat(filepath.Join(dir, "lib", "onnxruntime")); err != nil {
		Require(t, "ort", "no libraries in "+dir+" (run imgvec setup)")
	}
	return dir
}

// Root is the module's root folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}
