package model

import (
	"bytes"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"testing"

	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model/internal/scene"
)

func TestReferencePicturesDecode(t *testing.T) {
	pictures := ReferencePictures()
	if len(pictures) < 32 {
		t.Fatalf("%d pictures, expected 32 or more", len(pictures))
	}
	formats, sizes := map[string]int{}, map[image.Point]int{}
	for i, data := range pictures {
		img, format, err := image.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("picture %d: %v", i, err)
		}
		formats[format]++
		sizes[img.Bounds().Size()]++
		if again := drawPicture(i); i%7 == 0 && !bytes.Equal(again, data) {
			t.Errorf("picture %d is another one when drawn again", i)
		}
	}
	if formats["png"] < 4 || formats["jpeg"] < 20 || len(sizes) < 5 {
		t.Errorf("formats %v, sizes %v", formats, sizes)
	}
}

// luminance is a picture's green channel about its mean, in rows.
func luminance(img *image.NRGBA) (rows [][]float32) {
	b := img.Bounds()
	for y := range b.Dy() {
		row := make([]float32, b.Dx())
		for x := range row {
			row[x] = float32(img.NRGBAAt(x, y).G) - 110
		}
		rows = append(rows, row)
	}
	return rows
}

// difference is the mean squared difference of pixels lag apart.
func difference(rows [][]float32, lag int) float64 {
	sum, n := 0.0, 0
	for _, row := range rows {
		for x := range len(row) - lag {
			d := float64(row[x+lag] - row[x])
			sum += d * d
			n++
		}
	}
	return sum / float64(n)
}

// A photo's neighbouring pixels are alike and grow apart with distance, and none of its regions is flat. White noise
// would have the same difference at every lag, a drawing of flat areas nearly none at 1.
func TestReferencePicturesAreTexturedLikePhotos(t *testing.T) {
	near, far := 0.0, 0.0
	for i := range pictureCount {
		rows := luminance(scene.Draw(i, 256, 256))
		one, sixteen := difference(rows, 1), difference(rows, 16)
		near += one
		far += sixteen
		if one < 4 || sixteen < 50 {
			t.Errorf("picture %d is flat: differences %.1f at 1 pixel, %.1f at 16", i, one, sixteen)
		}
	}
	if ratio := far / near; ratio < 2 || ratio > 100 {
		t.Errorf("the differences grow %.1f-fold from 1 pixel to 16; photos' grow 2- to 100-fold", ratio)
	}
}

func TestReferencePicturesDiffer(t *testing.T) {
	var flat [][]float32
	for i := range pictureCount {
		var v []float32
		for _, row := range luminance(scene.Draw(i, 64, 64)) {
			v = append(v, row...)
		}
		flat = append(flat, v)
	}
	for i := range flat {
		for j := range i {
			if c := testdata.Cosine(flat[i], flat[j]); c > 0.98 {
				t.Errorf("pictures %d and %d are nearly the same (cosine %.3f)", j, i, c)
			}
		}
	}
}

func TestSamplePictures(t *testing.T) {
	dir := t.TempDir() + "/new/folder"
	paths, err := SamplePictures(dir)
	if err != nil || len(paths) != scene.Kinds {
		t.Fatal(paths, err)
	}
	if err := os.WriteFile(paths[0], []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := SamplePictures(dir); err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && string(data) != "mine" {
			t.Error("a file that was there was replaced")
		}
		if _, _, err := image.Decode(bytes.NewReader(data)); i > 0 && err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
