package model

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
)

func TestRemove(t *testing.T) {
	home := t.TempDir()
	opts := OpenOptions{Home: home}
	m, err := Random("resnet18", 1, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(m.Dir, ".writing-killed"), make([]byte, 10))
	freed, err := Remove(m.Name, opts)
	if err != nil || freed < 40e6 {
		t.Errorf("%d bytes freed, %v", freed, err)
	}
	if left := entriesOf(filepath.Join(home, "models")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	_, err = Remove(m.Name, opts)
	errorWith(t, err, "not installed")
	if !errors.Is(err, imgvec.ErrModel) {
		t.Errorf("%v is no ErrModel", err)
	}
}

// What imgvec did not put there is not its to remove.
func TestRemoveLeavesWhatIsNotOurs(t *testing.T) {
	home, elsewhere := t.TempDir(), t.TempDir()
	opts := OpenOptions{Home: home}
	theirs := tinyModel(t, filepath.Join(elsewhere, "resnet18-random-1", ModelFile), onnx.Batched(3, 8, 8))
	m, err := Random("resnet18", 1, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	notes := write(t, filepath.Join(m.Dir, "notes.txt"), []byte("mine"))
	person := write(t, filepath.Join(home, "models", "person", ManifestFile), []byte(`{"format": 1}`))
	link := filepath.Join(home, "models", "link")
	if err := os.Symlink(filepath.Dir(theirs), link); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		m.Name: "notes.txt", "person": "somebody put there", filepath.Dir(theirs): "not the name of an installed model", "../models/" + m.Name: "not the name",
		".": "not the name", "..": "not the name", ".cache": "not the name", "": "not the name", "resnet18-random": "did you mean resnet18-random-1",
	} {
		_, err := Remove(name, opts)
		errorWith(t, err, want)
	}
	if _, err := Remove("link", opts); err != nil {
		t.Error(err)
	}
	for _, path := range []string{notes, m.Path, person, theirs} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(link); err == nil {
		t.Error("the link is still there")
	}
}

func TestLeftovers(t *testing.T) {
	home := t.TempDir()
	opts := OpenOptions{Home: home}
	downloads := filepath.Join(home, "downloads")
	gone := []string{
		"resnet18-f37072fd.pth", "resnet50-0676ba61.pth.part", "resnet50-0676ba61.pth.part.json",
		"facebook--dinov2-small--ed25f3a31f01/model.safetensors", "from-0123456789ab/x.pth", known[0].wheel.File,
	}
	stays := []string{"onnxruntime-1.30.0-cp311-cp311-manylinux_2_28_x86_64.whl", "notes.txt", ".lock"}
	for _, name := range append(append([]string{}, gone...), stays...) {
		write(t, filepath.Join(downloads, name), make([]byte, 100))
	}
	m, err := Random("resnet18", 1, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, "models", "killed", ".writing-1"), make([]byte, 100))
	write(t, filepath.Join(home, "models", "killed", ".lock"), nil)
	write(t, filepath.Join(home, "models", "person", "their.onnx"), make([]byte, 100))
	if _, err := Open(tinyModel(t, filepath.Join(t.TempDir(), "t.onnx"), onnx.Batched(3, 8, 8)), OpenOptions{Home: home, Output: "conv#mean"}); err != nil {
		t.Fatal(err)
	}
	var freed int64
	for _, l := range Leftovers(opts) {
		n, err := RemoveLeftover(context.Background(), l)
		if err != nil {
			t.Error(err)
		}
		freed += n
	}
	if freed < 700 {
		t.Errorf("%d bytes freed", freed)
	}
	for _, name := range gone {
		if _, err := os.Stat(filepath.Join(downloads, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, path := range []string{filepath.Join(downloads, stays[0]), filepath.Join(downloads, stays[1]), m.Path, filepath.Join(home, "models", "person", "their.onnx")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if left := Leftovers(opts); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(home, "models", "killed")); err == nil {
		t.Error("the killed installation is still there")
	}
}

func TestList(t *testing.T) {
	home := t.TempDir()
	opts := OpenOptions{Home: home}
	m, err := Random("resnet18", 1, RandomOptions{Home: home, Name: "a-mine"})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, "models", "resnet50", ManifestFile), []byte(`{"format": 1, "na`))
	if _, err := Random("resnet18", 2, RandomOptions{Home: home, Name: "resnet18", Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := Random("resnet18", 2, RandomOptions{Home: home, Name: "z-emptied"}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, "models", "z-emptied", ModelFile), nil)
	tinyModel(t, filepath.Join(home, "models", "person", "their.onnx"), onnx.Batched(3, 224, 224))
	write(t, filepath.Join(home, "models", "person", ManifestFile), []byte(`{"format": 1, "spec": {"preset": {"input_size": {"height": 224, "width": 224},
		"crop_mode": "squash", "crop_round": "floor", "interpolation": "box", "scale": 255, "mean": [0,0,0], "std": [1,1,1], "channel_order": "RGB"}}}`))
	got := map[string]Listing{}
	var names []string
	for _, l := range List(opts) {
		got[l.Name] = l
		names = append(names, l.Name)
	}
	if names[0] != Default || strings.Join(names[len(names)-3:], " ") != "a-mine person z-emptied" {
		t.Errorf("order: %v", names)
	}
	if l := got["a-mine"]; !l.Installed || l.Registry || !l.Random || l.Dim != 512 || l.DiskBytes < 40e6 || l.Dir != m.Dir {
		t.Errorf("%+v", l)
	}
	if l := got["resnet50"]; l.Installed || !strings.Contains(l.Damaged, "imgvec model pull resnet50") || l.Dim != 2048 || !l.Registry {
		t.Errorf("%+v", l)
	}
	if l := got["resnet18"]; !l.Installed || !l.Random || !strings.Contains(l.Source, "RANDOM") {
		t.Errorf("the registry speaks for a folder that holds something else: %+v", l)
	}
	if l := got["z-emptied"]; l.Installed || !strings.Contains(l.Damaged, "missing or empty") {
		t.Errorf("%+v", l)
	}
	if l := got["person"]; !l.Installed || l.Dim != 4 {
		t.Errorf("%+v", l)
	}
	if l := got[Default]; l.Installed || l.DownloadBytes == 0 || l.DiskBytes != 0 || l.Dim != 1280 || l.SHA256Note != "" {
		t.Errorf("%+v", l)
	}
}
