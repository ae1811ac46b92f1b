package model

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/model/internal/graph"
)

func TestImportGivesTheSameModelWhateverTheNames(t *testing.T) {
	home := t.TempDir()
	random, err := Random("resnet18", 9, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	for name, rename := range map[string]func(string) string{
		"torchvision":  same,
		"dataparallel": func(s string) string { return "module." + s },
		"huggingface":  huggingFaceName,
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), name+".safetensors"), safetensors(t, "resnet18", 9, rename))
			m, err := Import(context.Background(), file, "resnet18", ImportOptions{Home: home, Preset: "torchvision-v2", License: "MIT"})
			if err != nil {
				t.Fatal(err)
			}
			if m.SHA256 != random.SHA256 {
				t.Error("the imported model's bytes differ from those of the same weights made in place")
			}
			if m.Name != name || m.Random || m.License != "MIT" || m.Spec.Preset != imageNet(232, 224, imgvec.Bilinear) || m.Spec.Dim != 512 {
				t.Errorf("%+v", m)
			}
			opened, err := Open(name, OpenOptions{Home: home})
			if err != nil || opened.Spec != m.Spec {
				t.Errorf("%+v, %v", opened, err)
			}
		})
	}
	if installed := installedNames(OpenOptions{Home: home}); !slices.Equal(installed, []string{"dataparallel", "huggingface", "resnet18-random-9", "torchvision"}) {
		t.Errorf("installed: %v", installed)
	}
}

// huggingFaceName is graph.TorchvisionNames the other way round, for ResNet-18.
func huggingFaceName(name string) string {
	r := strings.NewReplacer("layer1.", "resnet.encoder.stages.0.layers.", "layer2.", "resnet.encoder.stages.1.layers.",
		"layer3.", "resnet.encoder.stages.2.layers.", "layer4.", "resnet.encoder.stages.3.layers.")
	if strings.HasPrefix(name, "layer") {
		inner := strings.NewReplacer(".conv1.", ".layer.0.convolution.", ".conv2.", ".layer.1.convolution.", ".bn1.", ".layer.0.normalization.",
			".bn2.", ".layer.1.normalization.", ".downsample.0.", ".shortcut.convolution.", ".downsample.1.", ".shortcut.normalization.")
		return inner.Replace(r.Replace(name))
	}
	return strings.NewReplacer("conv1.", "resnet.embedder.embedder.convolution.", "bn1.", "resnet.embedder.embedder.normalization.", "fc.", "classifier.1.").Replace(name)
}

func TestImportTakesThePresetBesideTheFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my-resnet")
	file := write(t, filepath.Join(dir, "model.safetensors"), safetensors(t, "resnet18", 1, huggingFaceName))
	write(t, filepath.Join(dir, "preprocessor_config.json"), []byte(`{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3,
		"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}`))
	m, err := Import(context.Background(), file, "resnet18", ImportOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "my-resnet" || m.Spec.Preset != floorCrop(imageNet(256, 224, imgvec.Bicubic)) || m.License != "not stated" {
		t.Errorf("%+v", m)
	}
}

func TestImportRefuses(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	weights := safetensors(t, "resnet18", 1, same)
	plain := write(t, filepath.Join(dir, "plain.safetensors"), weights)
	hub := write(t, filepath.Join(dir, "resnet18-f37072fd.pth"), weights)
	strange := write(t, filepath.Join(dir, "strange.safetensors"), tensors(t, map[string][]int64{"something.weight": {4, 4}}))
	noise := write(t, filepath.Join(dir, "noise.pth"), []byte("not a checkpoint at all"))
	preset := ImportOptions{Home: home, Preset: "torchvision-v1"}
	for name, c := range map[string]struct {
		file, arch string
		opts       ImportOptions
		words      []string
	}{
		"of no architecture":   {strange, "", preset, []string{"no architecture that is known", "something.weight", "--arch", "resnet50"}},
		"unknown architecture": {plain, "vgg16", preset, []string{`"vgg16" can't be imported`, "resnet101"}},
		"no preset":            {plain, "resnet18", ImportOptions{Home: home}, []string{"--preset", "imgvec model presets", "preprocessor_config.json"}},
		"unknown preset":       {plain, "resnet18", ImportOptions{Home: home, Preset: "x"}, []string{`preset "x" is unknown`, "imgvec model presets"}},
		"other architecture":   {plain, "resnet50", preset, []string{"no resnet50", "missing", "layer1.0.conv3.weight", "misshapen", "[64 64 3 3], expected [64 64 1 1]"}},
		"a lite":               {plain, "efficientnet-lite0", ImportOptions{Home: home, Preset: "lite0"}, []string{"missing", "_conv_stem.weight", "unexpected"}},
		"size of another lite": {plain, "efficientnet-lite0", ImportOptions{Home: home, Preset: "lite1"}, []string{"takes pictures of 224 pixels, not 240"}},
		"hash in the name":     {hub, "", ImportOptions{Home: home}, []string{"SHA-256", "f37072fd", "damaged"}},
		"noise":                {noise, "resnet18", preset, []string{"neither .safetensors nor .pth"}},
		"bad name":             {plain, "resnet18", ImportOptions{Home: home, Preset: "torchvision-v1", Name: "../evil"}, []string{`"../evil" is not possible`}},
		"absent":               {filepath.Join(dir, "absent.pth"), "resnet18", preset, []string{"no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Import(context.Background(), c.file, c.arch, c.opts)
			errorWith(t, err, append(c.words, c.file)...)
		})
	}
	if left := installedNames(OpenOptions{Home: home}); len(left) > 0 {
		t.Errorf("refused checkpoints left %v", left)
	}
	var mismatch *graph.MismatchError
	if _, err := Import(context.Background(), plain, "resnet50", preset); !errors.As(err, &mismatch) {
		t.Errorf("%v is no MismatchError", err)
	}
}

func TestImportKnowsTheHubsFiles(t *testing.T) {
	// The registry's entry is found by the file's name; its hash is checked against the content, so an entry of this
	// content is put in for the test.
	weights := safetensors(t, "resnet18", 4, same)
	sum := sha256.Sum256(weights)
	name := "resnet18-" + hex.EncodeToString(sum[:4]) + ".pth"
	saved := known
	defer func() { known = saved }()
	known = append(slices.Clone(known), torchvision("resnet18-v9", "resnet18", "V9", name, 512, imageNet(200, 160, imgvec.Bicubic)))
	m, err := Import(context.Background(), write(t, filepath.Join(t.TempDir(), name), weights), "", ImportOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "resnet18-v9" || m.Spec.Preset != imageNet(200, 160, imgvec.Bicubic) || m.License != torchvisionLicense {
		t.Errorf("%+v", m)
	}
	if m.Manifest.Weights != (FileHash{name, hex.EncodeToString(sum[:])}) {
		t.Errorf("weights: %+v", m.Manifest.Weights)
	}
}

func TestImportCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	file := write(t, filepath.Join(t.TempDir(), "a.safetensors"), []byte("x"))
	_, err := Import(ctx, file, "resnet18", ImportOptions{Home: t.TempDir(), Preset: "torchvision-v1"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestRandomSaysSo(t *testing.T) {
	home := t.TempDir()
	m, err := Random("resnet18", 0, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Random || m.Name != "resnet18-random" || !strings.Contains(m.Source, "RANDOM") || !strings.Contains(m.Note, "RANDOM") || !m.Manifest.Random {
		t.Errorf("%+v", m)
	}
	opened, err := Open("resnet18-random", OpenOptions{Home: home})
	if err != nil || !opened.Random || !strings.Contains(opened.Note, "RANDOM") {
		t.Errorf("%+v, %v", opened, err)
	}
	byPath, err := Open(m.Path, OpenOptions{Home: home, Output: "logits"})
	if err != nil || !byPath.Random || !strings.Contains(byPath.Note, "RANDOM") {
		t.Errorf("at another output: %+v, %v", byPath, err)
	}
	if _, err := os.Stat(filepath.Join(home, "models", Default)); err == nil {
		t.Error("something else was installed")
	}
	for _, e := range Registry() {
		if e.Random != strings.Contains(e.Name, "random") {
			t.Errorf("%s: random %v", e.Name, e.Random)
		}
	}
}
