package preprocess

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/disintegration/imaging"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/testdata"
)

// imagingTurns turn a stored picture upright, by disintegration/imaging (which counts angles counter-clockwise).
var imagingTurns = map[int]func(image.Image) *image.NRGBA{
	1: imaging.Clone, 2: imaging.FlipH, 3: imaging.Rotate180, 4: imaging.FlipV,
	5: imaging.Transpose, 6: imaging.Rotate270, 7: imaging.Transverse, 8: imaging.Rotate90,
}

// exifOf is an EXIF block that holds nothing but an orientation.
func exifOf(orientation int) []byte {
	block := []byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	block[18] = byte(orientation)
	return block
}

// withOrientation puts an orientation into a JPEG or PNG file that has none.
func withOrientation(file []byte, orientation int) []byte {
	var segment []byte
	at := 2
	exif := exifOf(orientation)
	if file[0] == 0xff {
		exif = append([]byte("Exif\x00\x00"), exif...)
		segment = binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+len(exif)))
		segment = append(segment, exif...)
	} else {
		at = 33 // behind IHDR
		chunk := append([]byte("eXIf"), exif...)
		segment = binary.BigEndian.AppendUint32(nil, uint32(len(exif)))
		segment = append(segment, chunk...)
		segment = binary.BigEndian.AppendUint32(segment, crc32.ChecksumIEEE(chunk))
	}
	return append(append(bytes.Clone(file[:at]), segment...), file[at:]...)
}

// stored is a file's picture as it is stored: the identity resize of a worker that ignores orientation.
func stored(t testing.TB, file []byte) *image.NRGBA {
	t.Helper()
	config, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	preset := imageNet(imgvec.Bilinear)
	preset.CropMode, preset.InputSize = imgvec.CropSquash, imgvec.Size{Height: config.Height, Width: config.Width}
	rgb := into(t, newWorker(t, preset, Options{Exif: ExifIgnore}), file)
	img := image.NewNRGBA(image.Rect(0, 0, config.Width, config.Height))
	for i := range config.Width * config.Height {
		copy(img.Pix[i*4:], rgb[i*3:i*3+3])
		img.Pix[i*4+3] = 255
	}
	return img
}

func into(t testing.TB, w *Worker, file []byte) []uint8 {
	t.Helper()
	size := w.p.preset.InputSize
	dst := make([]uint8, size.Height*size.Width*3)
	if _, err := w.Into(context.Background(), dst, file); err != nil {
		t.Fatal(err)
	}
	return dst
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestOrientation: a file that asks to be turned gives what the same picture does once imaging has turned it, for every
// orientation, both ways to decode, sizes in both orders of the passes, crops and filters.
func TestOrientation(t *testing.T) {
	for _, size := range [][2]int{{61, 40}, {40, 61}, {30, 90}, {90, 30}, {20, 70}, {256, 256}, {5, 7}} {
		drawing, _ := pngOf(t, 9, size[0], size[1])
		for _, file := range [][]byte{drawing, noisy(t, 9, size[0], size[1])} {
			img := stored(t, file)
			for _, filter := range []imgvec.Interpolation{imgvec.Bilinear, imgvec.Bicubic, imgvec.Nearest} {
				for _, crop := range []imgvec.CropMode{imgvec.CropCenter, imgvec.CropSquash} {
					preset := imageNet(filter)
					preset.InputSize, preset.ResizeSize, preset.CropMode = imgvec.Size{Height: 20, Width: 24}, 33, crop
					w := newWorker(t, preset, Options{})
					for o, turn := range imagingTurns {
						want := into(t, w, encodePNG(t, turn(img)))
						if got := into(t, w, withOrientation(file, o)); !bytes.Equal(got, want) {
							t.Errorf("%v, % x, %s, %s: orientation %d differs from turning first by imaging", size, file[:2], filter, crop, o)
						}
					}
				}
			}
		}
	}
}

// TestOrientationFiles does the same with the files of the test data that have an orientation, read by our own reader.
func TestOrientationFiles(t *testing.T) {
	requireJPEG(t, codecsAuto)
	w := newWorker(t, imageNet(imgvec.Bicubic), Options{})
	for o, turn := range imagingTurns {
		file, err := os.ReadFile(filepath.Join(testdata.Path(t, "awkward"), fmt.Sprintf("exif-orientation-%d.jpg", o)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(into(t, w, file), into(t, w, encodePNG(t, turn(stored(t, file))))) {
			t.Errorf("orientation %d differs from turning first by imaging", o)
		}
	}
}

// TestImaging compares with the imaging library's resize, whose weights are floats: never more than two levels.
func TestImaging(t *testing.T) {
	filters := map[imgvec.Interpolation]imaging.ResampleFilter{imgvec.Bilinear: imaging.Linear, imgvec.Bicubic: imaging.CatmullRom, imgvec.Lanczos: imaging.Lanczos}
	for filter, theirs := range filters {
		preset := imageNet(filter)
		preset.CropMode, preset.InputSize = imgvec.CropSquash, imgvec.Size{Height: 50, Width: 40}
		data, img := pngOf(t, 5, 131, 97)
		want := imaging.Resize(img, 40, 50, theirs)
		for i, v := range into(t, newWorker(t, preset, Options{}), data) {
			if d := int(v) - int(want.Pix[i/3*4+i%3]); d < -2 || d > 2 {
				t.Fatalf("%s: byte %d is %d, imaging has %d", filter, i, v, want.Pix[i/3*4+i%3])
			}
		}
	}
}
