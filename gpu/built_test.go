package gpu

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
)

func TestTracesOfAGPU(t *testing.T) {
	root := t.TempDir()
	if traced(root) {
		t.Error("a GPU is seen where nothing is")
	}
	for _, name := range traces {
		root := t.TempDir()
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		if !traced(root) {
			t.Errorf("%s is no trace", name)
		}
	}
}

// A build without support can't open a driver, and one with it must not say that it has none.
func TestBuiltTells(t *testing.T) {
	r := Look("")
	if !Built && (r.Usable || r.DriverPath != "") {
		t.Errorf("%+v", r)
	}
	if _, err := Devices(nil); !Built && !errors.Is(err, imgvec.ErrNoDevice) {
		t.Errorf("without support: %v", err)
	}
	if r.DriverPath != "" && !r.Present {
		t.Errorf("a driver, and nothing of a GPU: %+v", r)
	}
}
