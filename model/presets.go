package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/imgvec/imgvec"
)

// ownPresets are named presets that belong to no single file of weights, and those of TensorFlow's Lite models.
var ownPresets = map[string]imgvec.Preset{
	"torchvision-v1": imageNet(256, 224, imgvec.Bilinear),
	"torchvision-v2": imageNet(232, 224, imgvec.Bilinear),
	"timm-a1":        imageNet(235, 224, imgvec.Bicubic),
	"hf-resnet":      floorCrop(imageNet(256, 224, imgvec.Bicubic)),
	"lite0":          litePreset(256, 224),
	"lite1":          litePreset(272, 240),
	"lite2":          litePreset(292, 260),
	"lite3":          litePreset(312, 280),
	"lite4":          litePreset(332, 300),
}

// presetsFile is what the libraries say of the weights that they know. scripts/models/presets.py writes it.
//
//go:embed presets.json
var presetsFile []byte

// presetTable is presetsFile, ready to be asked.
type presetTable struct {
	byName map[string]imgvec.Preset
	byFile map[string]string // exact file name of weights -> name
}

// knownPresets reads the table when somebody asks for it: that takes some milliseconds.
var knownPresets = sync.OnceValue(func() presetTable {
	var file struct {
		Presets []struct {
			Preset  imgvec.Preset `json:"preset"`
			Weights []string      `json:"weights"`
		} `json:"presets"`
	}
	if err := json.Unmarshal(presetsFile, &file); err != nil {
		panic("imgvec: BUG: presets.json: " + err.Error())
	}
	t := presetTable{byName: maps.Clone(ownPresets), byFile: map[string]string{}}
	for _, p := range file.Presets {
		for _, weights := range p.Weights {
			name, file, _ := strings.Cut(weights, " ")
			t.byName[name] = p.Preset
			if file != "" {
				t.byFile[file] = name
			}
		}
	}
	return t
})

// Presets lists the names that ImportOptions.Preset takes: a few of our own, those of torchvision's weights enums
// ("ResNet50_Weights.IMAGENET1K_V2"), timm's tags ("timm/resnet50.a1_in1k", with "@test" for the size that timm
// recommends for tests), open_clip's ("open_clip/ViT-B-32/openai") and repositories of Hugging Face
// ("facebook/dinov2-base").
func Presets() []string { return slices.Sorted(maps.Keys(knownPresets().byName)) }

// FindPreset looks a preset up by its name. The error names the nearest ones.
func FindPreset(name string) (imgvec.Preset, error) {
	if p, ok := knownPresets().byName[name]; ok {
		return p, nil
	}
	what := fmt.Sprintf("preset %q is unknown", name)
	near := nearestPresets(name)
	if len(near) == 0 {
		return imgvec.Preset{}, fmt.Errorf("%s; imgvec model presets lists the names", what)
	}
	return imgvec.Preset{}, fmt.Errorf("%s; did you mean %s? (imgvec model presets lists all)", what, strings.Join(near, " or "))
}

// nearestPresets picks up to three names that hold the one that was asked for, the shortest first, or differ little.
func nearestPresets(name string) []string {
	low := strings.ToLower(name)
	var near []string
	for _, n := range Presets() {
		if len(low) >= 3 && strings.Contains(strings.ToLower(n), low) {
			near = append(near, n)
		}
	}
	if len(near) == 0 {
		return nearest(name, Presets())
	}
	slices.SortStableFunc(near, func(a, b string) int { return len(a) - len(b) })
	return near[:min(len(near), 3)]
}

// presetOfFile is the preset of weights that are known by their exact file name, which holds a part of their hash.
func presetOfFile(base string) (p imgvec.Preset, name string, ok bool) {
	t := knownPresets()
	name, ok = t.byFile[base]
	return t.byName[name], name, ok
}

// PresetBesideTest is a name for ImportOptions.Preset: the one of the timm file beside the weights, at the size and the
// crop that timm recommends for tests.
const PresetBesideTest = "beside@test"

// presetFor is the named preset, the one beside the file, or the one of weights of this exact file name.
func presetFor(file, name string) (imgvec.Preset, error) {
	switch name {
	case "":
	case PresetBesideTest:
		return presetBesideTest(file)
	default:
		return FindPreset(name)
	}
	found, err := presetBeside(file)
	if err != nil || found.source != "" {
		return found.preset, err
	}
	if p, _, ok := presetOfFile(filepath.Base(file)); ok {
		return p, nil
	}
	return found.preset, fmt.Errorf("which preset these weights need can't be told: name one (--preset; imgvec model presets lists the names), "+
		"or put the weights' preprocessor_config.json, config.json or an %s beside the file", ManifestFile)
}
