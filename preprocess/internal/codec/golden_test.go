package codec

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// golden opens testdata/golden.tar.gz: small pictures of every kind (see golden.py, which made them) and what Pillow makes
// of them.
func golden(t testing.TB) (files map[string][]byte, refs map[string]reference) {
	t.Helper()
	refs = references(t, "testdata/golden.json")
	f, err := os.Open("testdata/golden.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for archive := tar.NewReader(unpacked); ; {
		entry, err := archive.Next()
		if err == io.EOF { //nolint:errorlint // as documented
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[entry.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
	return files, refs
}

// notInGo says whether err is the refusal of a kind that needs a native library.
func notInGo(err error) bool {
	text := fmt.Sprint(err)
	return strings.Contains(text, "without libtiff")
}

func TestGolden(t *testing.T) {
	files, refs := golden(t)
	for _, codecs := range []string{fromPillow, fromGo} {
		t.Run(codecs, func(t *testing.T) {
			if codecs == fromPillow {
				requireNative(t, libwebp)
				requireNative(t, libtiff)
			}
			without := 0
			for name, ref := range refs {
				if strings.HasPrefix(name, "jpeg/") {
					continue
				}
				lim := Limits{Codecs: codecs}
				if _, _, err := loadRGB(files[name], lim); codecs == fromGo && notInGo(err) {
					without++
					continue
				}
				t.Run(name, func(t *testing.T) { checkReference(t, files[name], ref, lim) })
			}
			t.Logf("%d pictures need libtiff", without)
			if without > 10 {
				t.Errorf("%d pictures are not decoded in Go", without)
			}
		})
	}
}

// TestGoldenJPEG holds the Go decoder to three levels of Pillow's pixels.
func TestGoldenJPEG(t *testing.T) {
	files, refs := golden(t)
	for name, ref := range refs {
		if !strings.HasPrefix(name, "jpeg/") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			got, err := DecodeJPEGGo(files[name], Limits{}, nil)
			if ref.Error != "" {
				if err == nil {
					t.Errorf("accepted; Pillow says %s", ref.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := loadRGB(files[name+".png"], Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if d := maxDifference(t, got, want); d > 3 {
				t.Errorf("up to %d levels from Pillow", d)
			}
		})
	}
}
