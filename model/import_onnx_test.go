package model

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
	homepkg "github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/onnx"
)

func TestImportOfAnONNXFile(t *testing.T) {
	home := t.TempDir()
	file := tinyModel(t, filepath.Join(t.TempDir(), "their model.onnx"), onnx.Batched(3, 224, 224))
	_, err := Import(context.Background(), file, "", ImportOptions{Home: home})
	errorWith(t, err, "--preset", "preprocessor_config.json")
	_, err = Import(context.Background(), file, "resnet18", ImportOptions{Home: home, Preset: "torchvision-v1"})
	errorWith(t, err, "--arch is for checkpoints")
	_, err = Import(context.Background(), file, "", ImportOptions{Home: home, Preset: "lite1"})
	errorWith(t, err, "240x240", "takes 224x224")
	_, err = Import(context.Background(), file, "", ImportOptions{Home: home, Preset: "torchvision-v1", Output: "absent"})
	errorWith(t, err, "absent")
	if left := installedNames(OpenOptions{Home: home}); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	m, err := Import(context.Background(), file, "", ImportOptions{Home: home, Preset: "torchvision-v2", License: "MIT"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := imgvec.Spec{
		Model: "their-model", Input: "input", Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: "features", Dim: 4, Preset: imageNet(232, 224, imgvec.Bilinear),
	}
	if m.Spec != want || m.Name != "their-model" || m.License != "MIT" || m.Note != "" || m.SHA256 != hexSum(data) {
		t.Errorf("%+v", m)
	}
	opened, err := Open("their-model", OpenOptions{Home: home})
	if err != nil || opened.Spec != want {
		t.Errorf("%+v, %v", opened, err)
	}
}

// An output that a session can't hand out is cut free, and the part is what is installed.
func TestImportOfAnONNXFileAtAnInnerValue(t *testing.T) {
	home := t.TempDir()
	file := tinyModel(t, filepath.Join(t.TempDir(), "tiny.onnx"), onnx.Batched(3, 224, 224))
	m, err := Import(context.Background(), file, "", ImportOptions{Home: home, Preset: "torchvision-v1", Output: "conv#mean", Name: "inner"})
	if err != nil {
		t.Fatal(err)
	}
	if m.Spec.Feature != onnx.CutFeature || m.Spec.Dim != 4 || m.Dir != filepath.Join(home, "models", "inner") {
		t.Errorf("%+v", m)
	}
	whole, err := homepkg.HashFile(file)
	if err != nil || m.Manifest.Weights != (FileHash{"tiny.onnx", whole}) || m.SHA256 == whole {
		t.Errorf("%+v, %v", m.Manifest, err)
	}
}

// Weights outside of the model file are installed with it, and checked with it.
func TestImportOfAnONNXFileWithExternalWeights(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join("testdata", "external.onnx")
	m, err := Import(context.Background(), file, "", ImportOptions{Home: home, Preset: "torchvision-v1", Name: "net"})
	if err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(m.Dir, "weights", "w.bin")
	sum, err := homepkg.HashFile(inside)
	if err != nil || len(m.Manifest.Files) != 1 || m.Manifest.Files[0] != (FileHash{"weights/w.bin", sum}) {
		t.Errorf("%+v, %v", m.Manifest.Files, err)
	}
	write(t, inside, []byte("somebody wrote here, and not for the first time."))
	_, err = Open("net", OpenOptions{Home: home})
	errorWith(t, err, "damaged", "w.bin")
	if freed, err := Remove("net", OpenOptions{Home: home}); err != nil || freed == 0 {
		t.Errorf("%d, %v", freed, err)
	}
	if left := entriesOf(filepath.Join(home, "models")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
