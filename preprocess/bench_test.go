package preprocess

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/testdata"
)

// photos are the bytes of the reference photos.
func photos(t testing.TB) [][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(testdata.Dir(t), "photos", "*"))
	if err != nil || len(names) == 0 {
		t.Fatal("no photos", err)
	}
	files := make([][]byte, len(names))
	for i, name := range names {
		if files[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// BenchmarkInto is one photo through one worker, for each variant of the loops.
func BenchmarkInto(b *testing.B) {
	files := photos(b)
	dst := make([]uint8, 224*224*3)
	for _, level := range csrc.Levels() {
		b.Run(string(level), func(b *testing.B) {
			b.Setenv(csrc.LevelVariable, string(level))
			w := newWorker(b, imageNet(imgvec.Bilinear), Options{})
			i := 0
			for b.Loop() {
				if _, err := w.Into(context.Background(), dst, files[i%len(files)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "img/s")
		})
	}
}
