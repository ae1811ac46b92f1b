package model

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgvec/imgvec"
)

// TestPresetsTable holds all that presets.json carries against what a preset must be, and what the design counts on.
func TestPresetsTable(t *testing.T) {
	names := Presets()
	if len(names) < 2000 {
		t.Fatalf("only %d presets", len(names))
	}
	for _, name := range names {
		p, err := FindPreset(name)
		if err == nil {
			err = p.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for file, name := range knownPresets().byFile {
		if hubHash(file) == "" && !strings.HasSuffix(file, ".pth") || !strings.Contains(name, "_Weights.") {
			t.Errorf("%s is %s: only torchvision's files are known by their names", file, name)
		}
	}
}

// TestPresetsAgree compares the presets that are written in Go with those that the libraries gave.
func TestPresetsAgree(t *testing.T) {
	for ours, theirs := range map[string]string{
		"torchvision-v1": "ResNet50_Weights.IMAGENET1K_V1", "torchvision-v2": "ResNet50_Weights.IMAGENET1K_V2",
		"timm-a1": "timm/resnet50.a1_in1k", "hf-resnet": "microsoft/resnet-50",
		"google/siglip-base-patch16-224": "google/vit-base-patch16-224", // but for the filter, see below
	} {
		got, err := FindPreset(ours)
		want, err2 := FindPreset(theirs)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if ours == "google/siglip-base-patch16-224" {
			want.Interpolation = imgvec.Bicubic
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s against %s:\n%s", ours, theirs, diff)
		}
	}
	compared := 0
	for _, e := range known {
		if want, name, ok := presetOfFile(e.WeightsFile); ok {
			compared++
			if diff := cmp.Diff(want, e.Preset); diff != "" {
				t.Errorf("%s against %s:\n%s", e.Name, name, diff)
			}
		}
		repository, _, _ := strings.Cut(strings.TrimPrefix(e.Source, "hf://"), "@")
		if want, ok := knownPresets().byName[repository]; ok {
			compared++
			want.CropRound = e.Preset.CropRound // where nothing is cropped it does not matter
			if diff := cmp.Diff(want, e.Preset); diff != "" {
				t.Errorf("%s against %s:\n%s", e.Name, repository, diff)
			}
		}
	}
	if compared < 8 {
		t.Errorf("only %d models of the registry were compared", compared)
	}
}

func TestPresetOrder(t *testing.T) {
	dir := t.TempDir()
	weights := filepath.Join(dir, "resnet50-11ad3fa6.pth")
	expect := func(want string, resize int) {
		t.Helper()
		p, err := presetFor(weights, "")
		if err != nil || p.ResizeSize != resize {
			t.Errorf("%s: resize %d, %v; want %d", want, p.ResizeSize, err, resize)
		}
	}
	expect("the file's exact name", 232)
	write(t, filepath.Join(dir, "open_clip_config.json"), []byte(`{"preprocess_cfg": {"size": 64}}`))
	expect("open_clip", 64)
	write(t, filepath.Join(dir, "config.json"), []byte(`{"pretrained_cfg": {"input_size": [3, 70, 70], "crop_pct": 1, "test_input_size": [3, 90, 90]}}`))
	expect("timm", 70)
	write(t, filepath.Join(dir, "preprocessor_config.json"), []byte(`{"image_processor_type": "CLIPImageProcessor", "size": 80, "crop_size": 80}`))
	expect("Hugging Face", 80)
	write(t, filepath.Join(dir, "processor_config.json"), []byte(`{"image_processor": {"image_processor_type": "CLIPImageProcessor", "size": 81, "crop_size": 80}}`))
	expect("nested", 81)
	write(t, filepath.Join(dir, "imgvec.json"), []byte(`{"format": 1, "spec": {"preset": {"input_size": {"height": 8, "width": 8}, "crop_mode": "center", "resize_size": 9,
		"crop_round": "floor", "interpolation": "box", "scale": 255, "mean": [0, 0, 0], "std": [1, 1, 1], "channel_order": "RGB"}}}`))
	expect("our own", 9)
	if p, err := presetFor(weights, PresetBesideTest); err != nil || p.InputSize.Height != 90 {
		t.Errorf("timm's size for tests: %+v, %v", p, err)
	}
	if p, err := presetFor(weights, "timm/resnet50.a1_in1k@test"); err != nil || p.InputSize.Height != 288 {
		t.Errorf("by name: %+v, %v", p, err)
	}
	weights = filepath.Join(t.TempDir(), "resnet50-11ad3fa7.pth")
	_, err := presetFor(weights, "")
	errorWith(t, err, "can't be told")
	_, err = presetFor(weights, PresetBesideTest)
	errorWith(t, err, "no config.json of timm")
	_, err = FindPreset("resnet50.a1_in1k")
	errorWith(t, err, "timm/resnet50.a1_in1k")
}
