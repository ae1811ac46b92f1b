package model

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/onnx"
)

func TestImportLooksAtTheFileFirst(t *testing.T) {
	work := t.TempDir()
	ready := tinyModel(t, filepath.Join(work, "tiny.onnx"), onnx.Batched(3, 8, 8))
	for file, want := range map[string]string{
		filepath.Join(work, "absent.pth"): "no such file",
		ready:                             "--preset",
		work:                              "2 files that could be it; name one: empty.safetensors, tiny.onnx",
		t.TempDir():                       "the folder has no checkpoint",
		write(t, filepath.Join(work, "empty.safetensors"), []byte{}): "empty",
	} {
		_, err := Import(context.Background(), file, "", ImportOptions{Home: t.TempDir()})
		errorWith(t, err, want, file)
		if err != nil && strings.Contains(err.Error(), "--arch") {
			t.Errorf("asks for the architecture: %v", err)
		}
	}
}

func TestADamagedManifestNamesItsPathAndTheRemedy(t *testing.T) {
	home := t.TempDir()
	for name, remedy := range map[string]string{"resnet50-random": "imgvec model pull resnet50-random", "mine": "imgvec model import"} {
		path := filepath.Join(home, "models", name, ManifestFile)
		write(t, path, []byte(`{"format": 1, "name`))
		_, err := Open(name, OpenOptions{Home: home})
		errorWith(t, err, path, "install it again with: "+remedy)
	}
	for _, e := range registry(OpenOptions{Home: home}) {
		if e.Damaged != (e.Name == "resnet50-random") || e.Installed {
			t.Errorf("%s: damaged %v, installed %v", e.Name, e.Damaged, e.Installed)
		}
	}
}

// Who has no libraries either needs "imgvec setup"; who has them needs the model only.
func TestTheDefaultModelIsInstalledBySetup(t *testing.T) {
	home := t.TempDir()
	_, err := Open("", OpenOptions{Home: home})
	errorWith(t, err, "not installed", "run: imgvec setup")
	_, err = Open("resnet50", OpenOptions{Home: home})
	errorWith(t, err, "run: imgvec model pull resnet50")
	if err := os.MkdirAll(filepath.Join(home, "lib", "onnxruntime"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = Open("", OpenOptions{Home: home})
	errorWith(t, err, "run: imgvec model pull "+Default)
}

func TestPullOfAnUnknownNameSpeaksOfTheRegistry(t *testing.T) {
	_, err := Pull(context.Background(), "resnet5", PullOptions{Home: t.TempDir()})
	errorWith(t, err, "no model of this name in the registry", "did you mean resnet50")
	if strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}

func TestTheRemedyForDamageIsTheCommandThatInstalledIt(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for want, m := range map[string]Manifest{
		"imgvec model pull " + Default:                                              {Name: Default, Source: "Python package"},
		"imgvec model pull hf://a/b/f.safetensors --sha256 " + sum + " --name mine": {Name: "mine", Source: "hf://a/b/f.safetensors", Weights: FileHash{"f.safetensors", sum}},
		"imgvec model import their.pth --name resnet50":                             {Name: "resnet50", Source: notTheRegistrys + " resnet50: their.pth", Weights: FileHash{"their.pth", sum}},
		"imgvec model import":                                                       {Name: "x", Source: "RANDOM"},
	} {
		if got := m.again(); got != "install it again with: "+want {
			t.Errorf("%q, expected %q", got, want)
		}
	}
	quantised := Manifest{Name: "x-int8", Source: "hf://a/b/c", Quantised: &Quantisation{From: "x"}}
	errorWith(t, errors.New(quantised.again()), "imgvec model quantize x --images DIR -o x-int8")
}
