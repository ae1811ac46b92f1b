package model

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestImportDoesNotReplaceOtherWeights(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	first := write(t, filepath.Join(dir, "first.safetensors"), safetensors(t, "resnet18", 1, same))
	other := write(t, filepath.Join(dir, "other.safetensors"), safetensors(t, "resnet18", 2, same))
	opts := ImportOptions{Home: home, Preset: "torchvision-v1", Name: "mine"}
	m, err := Import(context.Background(), first, "resnet18", opts)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Import(context.Background(), other, "resnet18", opts)
	errorWith(t, err, `"mine" is installed already`, "first.safetensors", "--name")
	_, err = Random("resnet18", 3, RandomOptions{Home: home, Name: "mine"})
	errorWith(t, err, `"mine" is installed already`)
	if still, err := Open("mine", OpenOptions{Home: home}); err != nil || still.SHA256 != m.SHA256 {
		t.Errorf("a refused import changed the model: %v", err)
	}
	opts.Preset = "torchvision-v2"
	if again, err := Import(context.Background(), first, "resnet18", opts); err != nil || again.Spec.Preset.ResizeSize != 232 {
		t.Errorf("the same weights, to mend the preset: %v", err)
	}
	opts.Force = true
	if forced, err := Import(context.Background(), other, "resnet18", opts); err != nil || forced.SHA256 == m.SHA256 {
		t.Errorf("forced: %v", err)
	}
	if _, err := Random("resnet18", 3, RandomOptions{Home: home, Name: "mine", Force: true}); err != nil {
		t.Error(err)
	}
	if _, err := Random("resnet18", 3, RandomOptions{Home: home, Name: "mine"}); err != nil {
		t.Errorf("the same random weights again: %v", err)
	}
	_, err = Import(context.Background(), other, "resnet18", ImportOptions{Home: home, Preset: "torchvision-v1", Name: "mine"})
	errorWith(t, err, "RANDOM", "--name")
}

// A model that a person put into the home folder, with a manifest for its preset alone, is theirs.
func TestImportDoesNotReplaceAPersonsModel(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, "models", "resnet18-random", ManifestFile), []byte(`{"format": 1}`))
	_, err := Random("resnet18", 0, RandomOptions{Home: home})
	errorWith(t, err, "somebody put there", "--name")
}

func TestImportKeepsTheRegistrysNames(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "resnet18.safetensors"), safetensors(t, "resnet18", 1, same))
	opts := ImportOptions{Home: t.TempDir(), Preset: "torchvision-v1"}
	_, err := Import(context.Background(), file, "resnet18", opts)
	errorWith(t, err, `"resnet18"`, "registry", "--name")
	opts.Name = "resnet18"
	m, err := Import(context.Background(), file, "resnet18", opts)
	if err != nil || !strings.HasPrefix(m.Source, "NOT the registry's resnet18: ") {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestWritersSweepWhatKilledOnesLeft(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, "models", "resnet18-random")
	stale := write(t, filepath.Join(dir, ".writing-123"), []byte("half a model"))
	m, err := Random("resnet18", 0, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("installing left it")
	}
	write(t, stale, []byte("half a manifest"))
	if err := m.Record(Cosine{Provider: "p", Precision: "fp32", Min: 1, Mean: 1, Pictures: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("recording left it")
	}
}
