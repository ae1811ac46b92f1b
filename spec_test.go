package imgvec_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
)

func goodPreset() imgvec.Preset {
	return imgvec.Preset{
		InputSize: imgvec.Size{Height: 224, Width: 224}, CropMode: imgvec.CropCenter, ResizeSize: 256, CropRound: imgvec.CropHalfEven,
		Interpolation: imgvec.Bilinear, Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
	}
}

func TestPresetCheck(t *testing.T) {
	if err := goodPreset().Check(); err != nil {
		t.Errorf("a good preset: %v", err)
	}
	for what, spoil := range map[string]func(*imgvec.Preset){
		"input size":    func(p *imgvec.Preset) { p.InputSize.Width = 0 },
		"crop mode":     func(p *imgvec.Preset) { p.CropMode = "" },
		"resize size":   func(p *imgvec.Preset) { p.ResizeSize = 0 },
		"crop rounding": func(p *imgvec.Preset) { p.CropRound = "up" },
		"interpolation": func(p *imgvec.Preset) { p.Interpolation = "cubic" },
		"channel order": func(p *imgvec.Preset) { p.ChannelOrder = "rgb" },
		"std":           func(p *imgvec.Preset) { p.Std[1] = 0 },
		"scale":         func(p *imgvec.Preset) { p.Scale = 0 },
	} {
		p := goodPreset()
		spoil(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s spoilt: error = %v", what, err)
		}
	}
	p := goodPreset()
	p.CropMode, p.ResizeSize = imgvec.CropSquash, 0
	if err := p.Check(); err != nil {
		t.Errorf("squash needs no resize size: %v", err)
	}
}

// TestTable compares with the same steps in float64, each rounded to float32: what ToTensor and Normalize do.
func TestTable(t *testing.T) {
	p := goodPreset()
	table := p.Table()
	for c := range table {
		for v := range table[c] {
			scaled := float32(float64(v) / 255)
			centred := float32(float64(scaled) - float64(p.Mean[c]))
			if want := float32(float64(centred) / float64(p.Std[c])); table[c][v] != want {
				t.Fatalf("Table()[%d][%d] = %v, want %v", c, v, table[c][v], want)
			}
		}
	}
	if got := float64(table[0][0]); math.Abs(got+0.485/0.229) > 1e-6 {
		t.Errorf("black is %v, want -mean/std", got)
	}
}

func TestSpecSurvivesJSON(t *testing.T) {
	want := imgvec.Spec{Model: "m", Input: "input", Layout: imgvec.NHWC, DType: imgvec.Uint8, Feature: "features", Dim: 7, MaxBatch: 1, Preset: goodPreset()}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got imgvec.Spec
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if want.ImageLen() != 224*224*3 {
		t.Errorf("ImageLen = %d", want.ImageLen())
	}
}
