//go:build cgo

package model_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

// TestConvNeXtsComputeWhatTheirLibrariesCompute imports the checkpoints that testdata/convnext/make.py wrote with the
// libraries, as a user would: without naming their architecture.
func TestConvNeXtsComputeWhatTheirLibrariesCompute(t *testing.T) {
	const side = 64
	text, err := os.ReadFile("testdata/convnext/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct{ Features, Logits []float32 }
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	delete(expected, "versions")
	picture := make([]uint8, 0, side*side*3) // as make.py draws it
	for y := range side {
		for x := range side {
			for c := range 3 {
				picture = append(picture, uint8((x*x*(c+1)/7+y*5+x*y/3+c*40)%256))
			}
		}
	}
	graphs := map[string]string{}
	for file, want := range expected {
		t.Run(file, func(t *testing.T) {
			m, err := model.Import(context.Background(), filepath.Join("testdata/convnext", file), "", model.ImportOptions{Home: t.TempDir(), Name: "small"})
			if err != nil {
				t.Fatal(err)
			}
			if m.Manifest.Arch != "convnext" || m.Spec.Dim != len(want.Features) || m.Spec.Preset.InputSize.Height != side {
				t.Errorf("%s of %d features for pictures of %v", m.Manifest.Arch, m.Spec.Dim, m.Spec.Preset.InputSize)
			}
			graphs[file] = m.SHA256
			sameAs(t, "features", run(t, m, m.Spec.Feature, m.Spec.Dim, picture)[0], want.Features)
			sameAs(t, "logits", run(t, m, m.Manifest.Logits, len(want.Logits), picture)[0], want.Logits)
		})
	}
	for _, pair := range [][2]string{{"timm.safetensors", "torchvision.pth"}, {"timm.safetensors", "authors.pth"}, {"v2-timm.safetensors", "v2-authors.pth"}} {
		if graphs[pair[0]] != graphs[pair[1]] {
			t.Errorf("%s and %s have the same weights and became different models", pair[0], pair[1])
		}
	}
	// Hugging Face's last norm has another epsilon, so that its graph is another.
	if graphs["timm.safetensors"] == graphs["huggingface.safetensors"] {
		t.Error("Hugging Face's epsilon is not followed")
	}
}

// sameAs holds numbers to float32's rounding.
func sameAs(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if cosine := testdata.Cosine(got, want); !(cosine >= 0.9999999) {
		t.Errorf("%s: cosine %v", what, cosine)
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 2e-5 {
			t.Errorf("%s %d: %v, the library has %v", what, i, got[i], want[i])
		}
	}
}

func TestConvNeXtsThatDifferAreRefused(t *testing.T) {
	whole, err := os.ReadFile("testdata/convnext/timm.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("testdata/convnext/preprocessor_config.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from, to string
		arch     string
		words    []string
	}{
		"missing and unexpected": {`"stages.1.blocks.0.norm.bias"`, `"stages.1.blocks.0.more.bias"`, "",
			[]string{"1 missing (stages.1.blocks.0.norm.bias)", "1 unexpected (stages.1.blocks.0.more.bias)"}},
		"misshapen":      {`"shape":[8,6,2,2]`, `"shape":[8,2,6,2]`, "", []string{"1 misshapen (stages.2.downsample.1.weight: [8 2 6 2], expected [8 6 2 2])"}},
		"half a head":    {`"head.fc.bias"`, `"head.fc.same"`, "", []string{"1 missing (head.fc.bias)", "1 unexpected (head.fc.same)"}},
		"another size":   {"", "", "convnext-tiny", []string{"the checkpoint is no convnext-tiny", "misshapen", "missing"}},
		"another family": {"", "", "resnet50", []string{"the checkpoint is no resnet50", "missing", "unexpected"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.from != "" && strings.Count(string(whole), c.from) != 1 {
				t.Fatalf("%s is not in the checkpoint once", c.from)
			}
			changed := strings.Replace(string(whole), c.from, c.to, 1)
			for file, text := range map[string]string{"model.safetensors": changed, "preprocessor_config.json": string(config)} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			home := t.TempDir()
			_, err := model.Import(context.Background(), filepath.Join(dir, "model.safetensors"), c.arch, model.ImportOptions{Home: home, Name: "small"})
			for _, word := range c.words {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%v, expected an error with %q", err, word)
				}
			}
			if _, err := os.Stat(filepath.Join(home, "models", "small")); err == nil {
				t.Error("something was installed")
			}
		})
	}
}
