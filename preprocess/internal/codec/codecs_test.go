package codec

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec/internal/testdata"
)

// requireNative ends the test where the Pillow wheel's libraries are missing.
func requireNative(t *testing.T, l *library) {
	t.Helper()
	if _, err := l.use(fromPillow); err != nil {
		testdata.Require(t, "codecs", err.Error())
	}
}

// TestWebPByEveryCodec holds the three ways to decode WebP to the same bytes.
func TestWebPByEveryCodec(t *testing.T) {
	dir := testdata.Dir(t)
	refs := references(t, filepath.Join(dir, "refs", "pillow.json"))
	for _, codecs := range []string{fromPillow, fromSystem, fromGo} {
		t.Run(codecs, func(t *testing.T) {
			if codecs == fromPillow {
				requireNative(t, libwebp)
			}
			if _, err := libwebp.use(codecs); err != nil {
				t.Log(err)
				if codecs == fromSystem {
					t.Skip("no system library")
				}
			}
			for name, ref := range refs {
				if ref.Format != "WEBP" {
					continue
				}
				t.Run(name, func(t *testing.T) {
					data, err := os.ReadFile(filepath.Join(dir, name))
					if err != nil {
						t.Fatal(err)
					}
					checkReference(t, data, ref, Limits{Codecs: codecs})
				})
			}
		})
	}
}
