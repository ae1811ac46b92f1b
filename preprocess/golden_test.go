package preprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
)

// drawn is the picture that testdata/golden.py makes of a seed.
func drawn(seed uint64, w, h int) csrc.Pixels {
	pix := make([]uint8, w*h*3)
	for i := range pix {
		seed = seed*6364136223846793005 + 1442695040888963407
		pix[i] = uint8(seed >> 56)
	}
	return csrc.Pixels{Pix: pix, Stride: w * 3, Step: 3, Width: w, Height: h}
}

type goldenJob struct {
	filter       imgvec.Interpolation
	w, h, ow, oh int
	sum          string
}

// UnmarshalJSON reads [filter, w, h, out w, out h, sha256].
func (j *goldenJob) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&j.filter, &j.w, &j.h, &j.ow, &j.oh, &j.sum})
}

// TestGolden compares the six filters, by every variant of the loops, with what Pillow's resize made.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Jobs []goldenJob }
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Jobs) < 200 {
		t.Fatalf("only %d jobs", len(golden.Jobs))
	}
	for _, level := range csrc.Levels() {
		t.Run(string(level), func(t *testing.T) {
			t.Setenv(csrc.LevelVariable, string(level))
			for seed, job := range golden.Jobs {
				if !checkGolden(t, uint64(seed), job) {
					t.Errorf("job %d: %s %dx%d -> %dx%d: other bytes than Pillow's", seed, job.filter, job.w, job.h, job.ow, job.oh)
				}
			}
		})
	}
}

func checkGolden(t *testing.T, seed uint64, job goldenJob) bool {
	t.Helper()
	preset := imageNet(job.filter)
	preset.CropMode, preset.InputSize = imgvec.CropSquash, imgvec.Size{Height: job.oh, Width: job.ow}
	w := newWorker(t, preset, Options{})
	src, dst := drawn(seed, job.w, job.h), make([]uint8, job.ow*job.oh*3)
	plan, offset := w.p.plan(job.w, job.h, 1)
	if err := w.native.Resample(plan, src, dst[offset:]); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(dst)
	return hex.EncodeToString(sum[:]) == job.sum
}
