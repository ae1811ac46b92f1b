package executor_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/testdata"
)

const notesModel = "IMGVEC_TEST_NOTES_MODEL"

// TestReasonsNameADamagedDecoder runs itself in a process of its own, where the decoders were not opened yet: another
// libjpeg gives other pixels, which must not happen in silence.
func TestReasonsNameADamagedDecoder(t *testing.T) {
	if path := os.Getenv(notesModel); path != "" {
		t.Log(strings.Join(real(t, executor.Options{Model: path, Device: "cpu"}).Stats().Reasons, "\n"))
		return
	}
	from := testdata.Home(t)
	found, err := filepath.Glob(filepath.Join(from, "lib", "codecs", "libjpeg-*"))
	if err != nil || len(found) == 0 || runtime.GOOS != "linux" {
		testdata.Require(t, "codecs", "no libraries of the Pillow wheel")
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "lib", "codecs"), os.DirFS(filepath.Dir(found[0]))); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(from, "lib", "onnxruntime"), filepath.Join(dir, "lib", "onnxruntime")); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "lib", "codecs", filepath.Base(found[0])), 1000); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestReasonsNameADamagedDecoder$", "-test.v") //nolint:gosec // this test
	child.Env = append(os.Environ(), notesModel+"="+randomModel(t).Dir, home.Env+"="+dir)
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "libjpeg of the Pillow wheel is damaged") || !strings.Contains(string(out), "imgvec setup") {
		t.Errorf("%v\n%s", err, out)
	}
}
