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
		"factor":        func(p *imgvec.Preset) { p.Factor = 2 },
		"resize to":     func(p *imgvec.Preset) { p.ResizeTo = imgvec.Size{Height: 9, Width: 9} },
		"domain":        func(p *imgvec.Preset) { p.Domain = "real" },
		"overshoots":    func(p *imgvec.Preset) { p.Domain, p.Interpolation = imgvec.DomainFloat, imgvec.Bicubic },
		"second std":    func(p *imgvec.Preset) { p.StdAgain[2] = 1 },
		"finite":        func(p *imgvec.Preset) { p.Std[0] = 1e-40 },
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

// TestTableFactor: with Factor the pixel is scaled in float64 and rounded once, then moved, normalised and divided again.
func TestTableFactor(t *testing.T) {
	p := goodPreset()
	p.Scale, p.Factor, p.Offset, p.StdAgain = 0, 1/127.5, -1, [3]float32{0.5, 0.25, 0.125}
	table := p.Table()
	for v := range 256 {
		moved := float32(float64(float32(float64(v)*p.Factor)) - 1)
		once := float32(float64(float32(float64(moved)-float64(p.Mean[1]))) / float64(p.Std[1]))
		if want := once * 4; table[1][v] != want {
			t.Fatalf("Table()[1][%d] = %v, want %v", v, table[1][v], want)
		}
	}
	scaled, byFactor := goodPreset(), goodPreset()
	byFactor.Scale, byFactor.Factor = 0, 1.0/255
	if scaled.Table() != byFactor.Table() {
		t.Error("a factor of 1/255 is not a scale of 255: readers of configuration files count on it")
	}
}

func TestPresetWords(t *testing.T) {
	for want, change := range map[string]func(*imgvec.Preset){
		"short side resized to 256 (bilinear); centre of 224x224 cut out, odd margins rounded half to even; RGB / 255, mean [0.485 0.456 0.406], std [0.229 0.224 0.225]": func(*imgvec.Preset) {},
		"both sides resized to 224x224 (bilinear, in floating point); RGB / 255": func(p *imgvec.Preset) {
			p.CropMode, p.ResizeSize, p.Domain, p.Mean, p.Std = imgvec.CropSquash, 0, imgvec.DomainFloat, [3]float32{}, [3]float32{1, 1, 1}
		},
		"both sides resized to 256x320 (bilinear); centre of 224x224 cut out, odd margins rounded down; RGB x 0.00784314 -1": func(p *imgvec.Preset) {
			p.CropMode, p.ResizeSize, p.ResizeTo, p.CropRound = imgvec.CropSquash, 0, imgvec.Size{Height: 256, Width: 320}, imgvec.CropFloor
			p.Scale, p.Factor, p.Offset, p.Mean, p.Std = 0, 1/127.5, -1, [3]float32{}, [3]float32{1, 1, 1}
		},
		"fitted into 248x248 in its own shape (bilinear); in the centre of 224x224 filled with RGB 1, 2, 3; RGB, mean [0 0 0], std [2 2 2], divided by [2 2 2] again": func(p *imgvec.Preset) {
			p.CropMode, p.ResizeSize, p.ResizeTo, p.Fill = imgvec.CropBorder, 0, imgvec.Size{Height: 248, Width: 248}, [3]uint8{1, 2, 3}
			p.Scale, p.Mean, p.Std, p.StdAgain = 1, [3]float32{}, [3]float32{2, 2, 2}, [3]float32{2, 2, 2}
		},
	} {
		p := goodPreset()
		change(&p)
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if got := p.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
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
