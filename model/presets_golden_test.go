package model

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/preprocess"
)

// goldenPreset is one configuration folder of testdata/presets_golden.json.
type goldenPreset struct {
	Name   string
	Files  map[string]json.RawMessage
	Crops  map[string]string // picture -> SHA-256 of its uint8 [height, width, 3]
	Tensor string            // SHA-256 of the float32 [3, height, width] of picture 257x301
}

// TestPresetsGolden holds the way from a library's configuration file to pixels and numbers against what the library
// made of the same pictures: scripts/models/presets_golden.py.
func TestPresetsGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/presets_golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Cases []goldenPreset }
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) < 70 {
		t.Fatalf("only %d cases", len(golden.Cases))
	}
	pictures := goldenPictures(t)
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) { c.check(t, pictures) })
	}
}

// goldenPictures are the encoded pictures by their names: drawn ones, and the photos where they are.
func goldenPictures(t *testing.T) map[string][]byte {
	t.Helper()
	pictures := map[string][]byte{}
	for seed, size := range [][2]int{{1, 1}, {1, 40}, {3, 2}, {37, 53}, {225, 224}, {257, 301}, {400, 31}, {341, 256}} {
		state, img := uint64(seed), image.NewNRGBA(image.Rect(0, 0, size[0], size[1]))
		for i := range img.Pix {
			if i%4 == 3 {
				img.Pix[i] = 255
				continue
			}
			state = state*6364136223846793005 + 1442695040888963407
			img.Pix[i] = uint8(state >> 56)
		}
		var out bytes.Buffer
		if err := png.Encode(&out, img); err != nil {
			t.Fatal(err)
		}
		pictures[fmt.Sprintf("%dx%d", size[0], size[1])] = out.Bytes()
	}
	exact := true // photos need the pinned libjpeg-turbo
	for _, d := range preprocess.Decoders() {
		exact = exact && (d.Format != "jpeg" || d.Path != "" && d.Fault == "")
	}
	if !exact {
		testdata.Require(t, "codecs", "the photos need the Pillow wheel's libjpeg-turbo")
	}
	for _, name := range []string{"n01440764_tench.JPEG", "n01682714_American_chameleon.JPEG", "n01795545_black_grouse.JPEG"} {
		data, err := os.ReadFile(testdata.Path(t, "photos/"+name))
		if err != nil {
			t.Fatal(err)
		}
		pictures[name] = data
	}
	return pictures
}

func (c *goldenPreset) check(t *testing.T, pictures map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range c.Files {
		write(t, filepath.Join(dir, name), text)
	}
	found, err := presetBeside(filepath.Join(dir, "model.onnx"))
	if err != nil || found.source == "" {
		t.Fatalf("%q: %v", found.source, err)
	}
	p, err := preprocess.New(found.preset, preprocess.Options{Exif: preprocess.ExifIgnore})
	if err != nil {
		t.Fatal(err)
	}
	w := p.NewWorker()
	defer w.Close()
	dst := make([]uint8, imgvec.Spec{Preset: found.preset}.ImageLen())
	for name, data := range pictures {
		_, err := w.Into(context.Background(), dst, data)
		if c.Crops[name] == "" {
			if err == nil || !strings.Contains(err.Error(), "vanish") {
				t.Errorf("%s: the library can't resize it; here: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if sum := sha256.Sum256(dst); hex.EncodeToString(sum[:]) != c.Crops[name] {
			t.Errorf("%s: other bytes than the library's; the preset: %v", name, found.preset)
		}
		if name == "257x301" && tensorSum(found.preset, dst) != c.Tensor {
			t.Errorf("%s: other numbers than the library's; the preset: %v", name, found.preset)
		}
	}
}

// tensorSum is the SHA-256 of the normalised picture, planes of R, G and B.
func tensorSum(p imgvec.Preset, pixels []uint8) string {
	table, h := p.Table(), sha256.New()
	for c := range table {
		for i := c; i < len(pixels); i += 3 {
			var word [4]byte
			binary.LittleEndian.PutUint32(word[:], math.Float32bits(table[c][pixels[i]]))
			h.Write(word[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
