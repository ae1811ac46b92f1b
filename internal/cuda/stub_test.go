//go:build !(cuda && cgo && linux)

package cuda

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/testdata"
)

func TestWithoutTheTagEverythingSaysHowToBuild(t *testing.T) {
	_, start := Start()
	_, devices := Devices()
	_, open := Open(0)
	for name, err := range map[string]error{"Start": start, "Devices": devices, "Open": open} {
		if !errors.Is(err, imgvec.ErrNoDevice) || !strings.Contains(err.Error(), "built without GPU support; build it with -tags cuda") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, page, _ := strings.Cut(start.Error(), "(")
	page = strings.TrimSuffix(page, ")")
	if _, err := os.Stat(filepath.Join(testdata.Root(t), filepath.FromSlash(page))); err != nil {
		t.Errorf("the page that the error names: %v", err)
	}
}
