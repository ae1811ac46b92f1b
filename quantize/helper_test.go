package quantize

import (
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/testdata"
)

// photos are the shared photos, in the order of their names.
func photos(t testing.TB) iter.Seq[imgvec.Item] {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testdata.Path(t, "photos"), "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no photos", err)
	}
	return func(yield func(imgvec.Item) bool) {
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
				return
			}
			if !yield(imgvec.Item{ID: file, Data: data}) {
				return
			}
		}
	}
}
