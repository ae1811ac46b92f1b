package model

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"sync"

	"github.com/imgvec/imgvec/model/internal/scene"
)

// pictureSizes are the widths and heights that the reference pictures have in turn: lying, standing, square, small.
var pictureSizes = [][2]int{{352, 264}, {264, 352}, {288, 288}, {400, 300}, {320, 240}, {375, 250}, {256, 320}}

const (
	pictureCount = 32
	jpegQuality  = 92
)

// ReferencePictures are pictures that the project draws itself, textured like photos: encoded, 32 of them, of several
// sizes, every fifth a PNG and the others JPEG. They are the set that a model's cosine per provider and precision is
// measured on. Drawn once per process, in under a second; callers must not change them. Their pixels are the same on
// every machine; their bytes are as long as Go's encoders do not change.
var ReferencePictures = sync.OnceValue(func() [][]byte {
	pictures := make([][]byte, pictureCount)
	var group sync.WaitGroup
	for i := range pictures {
		group.Go(func() { pictures[i] = drawPicture(i) })
	}
	group.Wait()
	return pictures
})

func isPNG(i int) bool { return i%5 == 0 }

func drawPicture(i int) []byte {
	size := pictureSizes[i%len(pictureSizes)]
	img := scene.Draw(i, size[0], size[1])
	var out bytes.Buffer
	var err error
	if isPNG(i) {
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, img)
	} else {
		err = jpeg.Encode(&out, img, &jpeg.Options{Quality: jpegQuality})
	}
	if err != nil {
		panic(fmt.Sprintf("imgvec: BUG: draw picture %d: %v", i, err)) // memory can't refuse a write
	}
	return out.Bytes()
}

// SamplePictures writes one picture of each kind into dir, for a first try without photos, and returns their paths.
// Files that are there already are left alone.
func SamplePictures(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("imgvec: draw sample pictures: %w", err)
	}
	var paths []string
	for i := range scene.Kinds {
		ext := ".jpg"
		if isPNG(i) {
			ext = ".png"
		}
		path := filepath.Join(dir, fmt.Sprintf("sample-%02d%s", i+1, ext))
		paths = append(paths, path)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := os.WriteFile(path, drawPicture(i), 0o644); err != nil {
			return nil, fmt.Errorf("imgvec: draw sample pictures: %w", err)
		}
	}
	return paths, nil
}
