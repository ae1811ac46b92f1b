package preprocess

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/testdata"
)

// pillowFile is one entry of refs/pillow.json.
type pillowFile struct {
	Format string            `json:"format"`
	Mode   string            `json:"mode"`
	Error  string            `json:"error"`
	crops  map[string]string // "resnet50/exif-apply" -> SHA-256
}

func pillowFiles(t testing.TB) (names []string, files map[string]pillowFile) {
	t.Helper()
	text, err := os.ReadFile(testdata.Path(t, "refs/pillow.json"))
	if err != nil {
		t.Fatal(err)
	}
	var refs struct {
		Files map[string]map[string]any `json:"files"`
	}
	if err := json.Unmarshal(text, &refs); err != nil {
		t.Fatal(err)
	}
	files = map[string]pillowFile{}
	for name, fields := range refs.Files {
		f := pillowFile{crops: map[string]string{}}
		f.Format, _ = fields["format"].(string)
		f.Mode, _ = fields["mode"].(string)
		f.Error, _ = fields["error"].(string)
		for key, value := range fields {
			if crop, ok := cutPrefix(key, "crop_sha256/"); ok {
				f.crops[crop], _ = value.(string)
			}
		}
		files[name] = f
		names = append(names, name)
	}
	sort.Strings(names)
	return names, files
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return "", false
	}
	return s[len(prefix):], true
}

// imageNet is the preset of the reference crops: resize 256, crop 224.
func imageNet(filter imgvec.Interpolation) imgvec.Preset {
	return imgvec.Preset{InputSize: imgvec.Size{Height: 224, Width: 224}, CropMode: imgvec.CropCenter, ResizeSize: 256,
		CropRound: imgvec.CropHalfEven, Interpolation: filter, Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd,
		ChannelOrder: imgvec.RGB}
}

var references = map[string]imgvec.Interpolation{"resnet50": imgvec.Bilinear, "efficientnet-lite0": imgvec.Bicubic}

// requireJPEG ends the test where there is no libjpeg-turbo of the given place.
func requireJPEG(t testing.TB, codecs string) {
	t.Helper()
	if lib := openJPEG(codecs); lib.lib == nil {
		testdata.Require(t, "codecs", lib.err.Error())
	}
}

func newWorker(t testing.TB, preset imgvec.Preset, opts Options) *Worker {
	t.Helper()
	p, err := New(preset, opts)
	if err != nil {
		t.Fatal(err)
	}
	w := p.NewWorker()
	t.Cleanup(w.Close)
	return w
}

// TestPillow compares the crops of every reference file, both presets, both EXIF modes, with what Pillow and torchvision
// make, byte for byte; what Pillow refuses must be refused.
func TestPillow(t *testing.T) {
	names, files := pillowFiles(t)
	requireJPEG(t, codecsPillow)
	dst := make([]uint8, 224*224*3)
	for model, filter := range references {
		for _, exif := range []ExifMode{ExifApply, ExifIgnore} {
			w := newWorker(t, imageNet(filter), Options{Exif: exif})
			crop := model + "/exif-" + string(exif)
			for _, name := range names {
				checkPillow(t, w, name, files[name], crop, dst)
			}
		}
	}
}

func checkPillow(t *testing.T, w *Worker, name string, want pillowFile, crop string, dst []uint8) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testdata.Dir(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Into(context.Background(), dst, data)
	switch {
	case want.Error != "" && err == nil:
		t.Errorf("%s: accepted; Pillow refuses it: %s", name, want.Error)
	case want.Error != "":
		if !errors.Is(err, imgvec.ErrDecode) && !errors.Is(err, imgvec.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	case err != nil:
		t.Errorf("%s (%s %s): %v", name, want.Format, want.Mode, err)
	case want.crops[crop] == "": // too long a picture for the reference to resize whole
	default:
		if sum := sha256.Sum256(dst); hex.EncodeToString(sum[:]) != want.crops[crop] {
			t.Errorf("%s (%s %s), %s: other bytes than Pillow's", name, want.Format, want.Mode, crop)
		}
	}
}
