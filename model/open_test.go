package model

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
)

func contains(text, word string) bool { return strings.Contains(text, word) }

func TestOpenSaysWhatIsWrong(t *testing.T) {
	home := t.TempDir()
	work := t.TempDir()
	html := write(t, filepath.Join(work, "page.onnx"), []byte("<!DOCTYPE html><html></html>"))
	weights := write(t, filepath.Join(work, "weights.pth"), []byte("x"))
	gray := tinyModel(t, filepath.Join(work, "gray.onnx"), onnx.Batched(1, 28, 28))
	eight := tinyModel(t, filepath.Join(work, "eight.onnx"), onnx.Fixed(8, 3, 224, 224))
	two := filepath.Join(work, "two")
	tinyModel(t, filepath.Join(two, "a.onnx"), onnx.Batched(3, 8, 8))
	tinyModel(t, filepath.Join(two, "b.onnx"), onnx.Batched(3, 8, 8))
	for _, c := range []struct {
		name  string
		words []string
	}{
		{"efficientnetlite0", []string{"no model of this name", "did you mean efficientnet-lite0"}},
		{"resnet5", []string{"resnet50"}},
		{"qwertyuiop", []string{"imgvec model list"}},
		{"efficientnet-lite0", []string{"not installed", "run: imgvec setup"}},
		{"resnet50-random", []string{"imgvec model pull resnet50-random"}},
		{filepath.Join(work, "absent.onnx"), []string{"no such file"}},
		{"./absent", []string{"no such file"}},
		{html, []string{"not an ONNX file"}},
		{weights, []string{"checkpoint", "imgvec model import " + weights}},
		{gray, []string{"no image input", "[N,1,28,28]"}},
		{eight, []string{"exactly 8 pictures", "free batch axis"}},
		{t.TempDir(), []string{".onnx file"}},
		{two, []string{"2 .onnx files"}},
	} {
		t.Run(filepath.Base(c.name), func(t *testing.T) {
			_, err := Open(c.name, OpenOptions{Home: home})
			if !errors.Is(err, imgvec.ErrModel) {
				t.Errorf("%v is no ErrModel", err)
			}
			errorWith(t, err, append(c.words, c.name)...)
		})
	}
}

func TestOpenAFileByItsPath(t *testing.T) {
	home := t.TempDir()
	path := tinyModel(t, filepath.Join(t.TempDir(), "tiny.onnx"), onnx.Batched(3, 160, 160))
	m, err := Open(path, OpenOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	want := imgvec.Spec{
		Model: "tiny.onnx", Input: "input", Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: "features", Dim: 4,
		Preset: imageNet(182, 160, imgvec.Bilinear),
	}
	if diff := cmp.Diff(want, m.Spec); diff != "" {
		t.Error(diff)
	}
	if !contains(m.Note, "ASSUMED preset") {
		t.Errorf("the note %q does not say that the preset was assumed", m.Note)
	}
	if m.Path != path {
		t.Errorf("path %s, expected the file itself", m.Path)
	}
	if left, _ := os.ReadDir(home); len(left) > 0 {
		t.Errorf("opening wrote into the home folder: %v", left)
	}
}

func TestOpenAtAnotherOutput(t *testing.T) {
	home := t.TempDir()
	path := tinyModel(t, filepath.Join(t.TempDir(), "tiny.onnx"), onnx.Batched(3, 224, 224))
	logits, err := Open(path, OpenOptions{Home: home, Output: "logits"})
	if err != nil || logits.Spec.Feature != "logits" || logits.Spec.Dim != 5 || logits.Path != path {
		t.Errorf("an output of the graph: %+v, %v", logits, err)
	}
	inner, err := Open(path, OpenOptions{Home: home, Output: "conv#mean"})
	if err != nil {
		t.Fatal(err)
	}
	if inner.Spec.Dim != 4 || inner.Path == path || inner.Spec.Feature != onnx.CutFeature {
		t.Errorf("an inner value: %+v", inner)
	}
	if inner.SHA256 != logits.SHA256 {
		t.Error("the hash is not that of the model's own file")
	}
	again, err := Open(path, OpenOptions{Home: home, Output: "conv#mean"})
	if err != nil || again.Path != inner.Path {
		t.Errorf("opened again: %+v, %v", again, err)
	}
	_, err = Open(path, OpenOptions{Home: home, Output: "nothing"})
	errorWith(t, err, `no value "nothing"`, `"features" float32 [N,4]`)
}

func TestFixedBatchOfOne(t *testing.T) {
	path := tinyModel(t, filepath.Join(t.TempDir(), "one.onnx"), onnx.Fixed(1, 3, 224, 224))
	m, err := Open(path, OpenOptions{Home: t.TempDir()})
	if err != nil || m.Spec.MaxBatch != 1 || !contains(m.Note, "one picture at a time") {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestPresetMustFitTheInput(t *testing.T) {
	dir := t.TempDir()
	path := tinyModel(t, filepath.Join(dir, "tiny.onnx"), onnx.Batched(3, 160, 160))
	write(t, filepath.Join(dir, "preprocessor_config.json"), []byte(`{"image_processor_type": "ViTImageProcessor", "size": {"height": 224, "width": 224}}`))
	_, err := Open(path, OpenOptions{Home: t.TempDir()})
	errorWith(t, err, "preprocessor_config.json makes pictures of 224x224", "160x160")
}

func TestHandWrittenPreset(t *testing.T) {
	dir := t.TempDir()
	path := tinyModel(t, filepath.Join(dir, "tiny.onnx"), onnx.Batched(3, 64, 64))
	write(t, filepath.Join(dir, ManifestFile), []byte(`{"format": 1, "spec": {"preset": {"input_size": {"height": 64, "width": 64}, "crop_mode": "center",
		"resize_size": 70, "crop_round": "floor", "interpolation": "lanczos", "scale": 1, "mean": [123, 117, 104], "std": [1, 1, 1], "channel_order": "BGR"}}}`))
	for _, open := range []string{path, dir} {
		m, err := Open(open, OpenOptions{Home: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if p := m.Spec.Preset; p.ChannelOrder != imgvec.BGR || p.Mean != [3]float32{123, 117, 104} || p.ResizeSize != 70 || m.Spec.Dim != 4 {
			t.Errorf("%+v", m.Spec)
		}
	}
}

func TestDamagedModelIsRefused(t *testing.T) {
	home := t.TempDir()
	m, err := Random("resnet18", 3, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(m.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{1}, 1<<20); err != nil {
		t.Fatal(err)
	}
	_, err = Open(m.Name, OpenOptions{Home: home})
	errorWith(t, err, "damaged", "install it again with: imgvec model import")
}

func TestManifestsThatLie(t *testing.T) {
	good := `{"format":1,"name":"m","model":{"file":"model.onnx"},"spec":{"input":"input","layout":"NCHW","dtype":"float32","feature":"features","dim":4,
		"preset":{"input_size":{"height":8,"width":8},"crop_mode":"squash","crop_round":"floor","interpolation":"box","scale":255,"mean":[0,0,0],"std":[1,1,1],"channel_order":"RGB"}}}`
	for name, c := range map[string]struct{ old, new, want string }{
		"sane":      {"", "", ""},
		"format":    {`"format":1`, `"format":2`, "format 2"},
		"elsewhere": {"model.onnx", "../../etc/passwd", "must be the name of a file"},
		"layout":    {"NCHW", "CHW", "layout"},
		"type":      {"float32", "float64", "element type"},
		"dim":       {`"dim":4`, `"dim":-1`, "dimension -1"},
		"std":       {`"std":[1,1,1]`, `"std":[1,0,1]`, "not zero"},
		"not JSON":  {`{"format"`, `{format`, "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tinyModel(t, filepath.Join(dir, ModelFile), onnx.Batched(3, 8, 8))
			write(t, filepath.Join(dir, ManifestFile), []byte(strings.Replace(good, c.old, c.new, 1)))
			_, err := Open(dir, OpenOptions{Home: t.TempDir()})
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			errorWith(t, err, c.want)
		})
	}
}
