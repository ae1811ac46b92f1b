package codec

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec/internal/testdata"
)

// pillowMaxPixels is the size over which Pillow refuses to open a picture.
const pillowMaxPixels = 178956970

// A reference is what Pillow makes of one file.
type reference struct {
	RGB         string `json:"rgb_sha256"`
	Format      string `json:"format"`
	Mode        string `json:"mode"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	Orientation int    `json:"exif_orientation"`
	Error       string `json:"error"`
}

func references(t testing.TB, path string) map[string]reference {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Files map[string]reference }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Files) == 0 {
		t.Fatalf("%s names no files", path)
	}
	return all.Files
}

// loadRGB does what Pillow's Image.open(f).convert("RGB") does: decode, and turn where the format always turns.
func loadRGB(data []byte, lim Limits) (Image, Header, error) {
	if lim.MaxPixels == 0 {
		lim.MaxPixels = pillowMaxPixels
	}
	h, err := ReadHeader(data)
	if err != nil {
		return Image{}, h, err
	}
	img, err := Decode(data, h, lim, nil)
	if err == nil && h.AlwaysOrient {
		img = uprighted(img, h.Orientation)
	}
	return img, h, err
}

func rgbSum(img Image) string {
	sum := sha256.New()
	for y := range img.Height {
		sum.Write(img.row(y))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// checkReference compares one file of a format that is exact here with Pillow.
func checkReference(t *testing.T, data []byte, ref reference, lim Limits) {
	t.Helper()
	img, h, err := loadRGB(data, lim)
	if ref.Error != "" {
		if err == nil {
			t.Errorf("accepted as %s %dx%d; Pillow says: %s", h.Format, img.Width, img.Height, ref.Error)
		}
		t.Logf("%v (Pillow: %s)", err, ref.Error)
		return
	}
	if err != nil {
		t.Errorf("%v; Pillow reads it: %s %s %dx%d", err, ref.Format, ref.Mode, ref.Width, ref.Height)
		return
	}
	if img.Width != ref.Width || img.Height != ref.Height {
		t.Errorf("size %dx%d, Pillow has %dx%d", img.Width, img.Height, ref.Width, ref.Height)
	}
	if got := rgbSum(img); got != ref.RGB {
		t.Errorf("pixels differ from Pillow's (%s %s)", ref.Format, ref.Mode)
	}
	want := ref.Orientation
	if want < 1 || want > 8 {
		want = 1
	}
	if h.Orientation != want {
		t.Errorf("orientation %d, Pillow has %d", h.Orientation, ref.Orientation)
	}
}

// TestEqualsPillow covers every reference file; JPEG is compared by TestJPEGGoNearPillow.
func TestEqualsPillow(t *testing.T) {
	dir := testdata.Dir(t)
	for name, ref := range references(t, filepath.Join(dir, "refs", "pillow.json")) {
		if ref.Format == "JPEG" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := loadRGB(data, Limits{}); notInGo(err) {
				testdata.Require(t, "codecs", err.Error())
			}
			checkReference(t, data, ref, Limits{})
		})
	}
}
