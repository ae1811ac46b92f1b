package model

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/model/internal/graph"
	"github.com/imgvec/imgvec/model/internal/hub"
)

// torchvisionSays is what testdata/torchvision_weights.py wrote.
type torchvisionSays struct {
	Builder, Weights, URL, License, Interpolation string
	FileSize                                      float64 `json:"file_size_mib"`
	Crop, Resize                                  int
	Mean, Std                                     [3]float32
}

func TestTorchvisionEntriesAreTorchvisions(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "torchvision_weights.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Weights []torchvisionSays }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	theirs := map[string]torchvisionSays{}
	for _, w := range file.Weights {
		theirs[w.URL] = w
	}
	for _, row := range torchvisionRows {
		e := row.entry()
		w, ok := theirs[e.url]
		if !ok {
			t.Errorf("%s: torchvision has no %s", row.name, e.url)
			continue
		}
		want := centerCrop(w.Resize, w.Crop, imgvec.Interpolation(w.Interpolation), w.Mean, w.Std)
		builder := strings.ReplaceAll(strings.NewReplacer("vit_b_", "vit-b", "vit_l_", "vit-l").Replace(w.Builder), "_", "-")
		if e.Preset != want || row.weights != w.Weights || row.arch != builder || row.mib != int(w.FileSize+0.5) {
			t.Errorf("%s: %+v, torchvision says %+v", row.name, row, w)
		}
		if strings.Contains(e.License, "SWAG") != strings.Contains(w.License, "SWAG") {
			t.Errorf("%s: licence %q, torchvision says %q", row.name, e.License, w.License)
		}
	}
}

func TestEveryEntryCanBeBuilt(t *testing.T) {
	if got, want := len(known), len(liteEntries)+len(torchvisionRows)+len(hubRows)+len(randomEntries); got != want {
		t.Errorf("%d entries, expected %d: some have an architecture without a builder", got, want)
	}
	for _, e := range known {
		if !graph.Known(e.Arch) {
			t.Errorf("%s: no builder for %s", e.Name, e.Arch)
		}
		if e.Random || e.wheel != nil {
			continue
		}
		if !IsAddress(e.url) || e.Source != e.url {
			t.Errorf("%s: address %q, source %q", e.Name, e.url, e.Source)
		}
	}
}

// A file of Hugging Face's hub is pinned whole, at a commit.
func TestHubEntriesArePinned(t *testing.T) {
	for _, row := range hubRows {
		e := row.entry()
		a, isHub, err := parseHub(e.url)
		if err != nil || !isHub || !a.pinned() || a.repo != row.repo || a.file != row.file {
			t.Errorf("%s: %s is %+v, %v", row.name, e.url, a, err)
		}
		if !hub.IsSHA256(row.sum) || e.SHA256Note != othersNote {
			t.Errorf("%s: SHA-256 %q, note %q", row.name, row.sum, e.SHA256Note)
		}
	}
}

// What the list says of a model is what its graph gives. The larger ones take a minute: IMGVEC_LONG=1.
func TestEntriesSayWhatIsBuilt(t *testing.T) {
	done := map[string]bool{}
	for _, e := range known {
		if done[e.Arch] || e.Bytes > 150e6 && os.Getenv("IMGVEC_LONG") == "" {
			continue
		}
		done[e.Arch] = true
		src, err := graph.RandomWeights(e.Arch, 1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := buildGraph(e.Arch, e.Preset.InputSize.Height, src)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		asTheCheckpointSays := strings.HasPrefix(e.Arch, "clip-") // how wide a CLIP's projection is
		if b.dim != e.Dim && !asTheCheckpointSays || b.side != e.Preset.InputSize.Height {
			t.Errorf("%s: %d features of %d pixels, the list says %d of %d", e.Name, b.dim, b.side, e.Dim, e.Preset.InputSize.Height)
		}
	}
}
