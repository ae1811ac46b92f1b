package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

// convModel makes a model folder with two convolutions over 24x24 pixels.
func convModel(t *testing.T) string {
	t.Helper()
	const channels = 8
	b := onnx.NewBuilder("conv", "")
	b.Input("input", onnx.Batched(3, 24, 24))
	wave := func(n int, by float64) []float32 {
		w := make([]float32, n)
		for i := range w {
			w[i] = float32(math.Sin(float64(i)*by)) / 4
		}
		return w
	}
	b.Weights("one.weight", wave(channels*3*9, 1.3), channels, 3, 3, 3)
	b.Weights("two.weight", wave(channels*channels, 2.1), channels, channels, 1, 1)
	b.Node("Relu", "one.relu", []string{b.Node("Conv", "one", []string{"input", "one.weight"}, onnx.Ints("kernel_shape", 3, 3))})
	b.Node("Relu", "two.relu", []string{b.Node("Conv", "two", []string{"one.relu", "two.weight"}, onnx.Ints("kernel_shape", 1, 1))})
	b.Node("Flatten", "features", []string{b.Node("GlobalAveragePool", "pool", []string{"two.relu"})})
	b.Output("features", onnx.Batched(channels))
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, model.ModelFile))
	must(t, err)
	must(t, b.Write(file))
	must(t, file.Close())
	manifest := model.Manifest{
		Format: 1, Name: "conv", Source: "made by a test", License: "none needed", Random: true, Model: model.FileHash{File: model.ModelFile},
		Spec: imgvec.Spec{
			Model: "conv", Input: "input", Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: "features", Dim: channels,
			Preset: imgvec.Preset{
				InputSize: imgvec.Size{Height: 24, Width: 24}, CropMode: imgvec.CropSquash, CropRound: imgvec.CropHalfEven, Interpolation: imgvec.Bilinear,
				Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
			},
		},
	}
	text, err := json.Marshal(manifest)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, model.ManifestFile), text, 0o644))
	return dir
}

// drawnPictures writes the pictures that the project draws.
func drawnPictures(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i, data := range model.ReferencePictures()[:n] {
		name := string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".jpg"
		must(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	return dir
}

// homeOfOwn is a home folder with this machine's libraries and no models.
func homeOfOwn(t *testing.T) (dir string, env []string) {
	t.Helper()
	from, dir := testdata.Home(t), t.TempDir()
	must(t, os.Symlink(filepath.Join(from, "lib"), filepath.Join(dir, "lib")))
	data, err := os.ReadFile(filepath.Join(from, "manifest.json"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "manifest.json"), data, 0o644))
	return dir, []string{"IMGVEC_HOME=" + dir}
}

func TestModelQuantize(t *testing.T) {
	home, env := homeOfOwn(t)
	from, images := convModel(t), drawnPictures(t, 32)
	quantize := func(args ...string) outcome {
		return call{args: append([]string{"model", "quantize"}, args...), env: env}.run(t)
	}
	installed := filepath.Join(home, "models", "conv-int8", model.ManifestFile)

	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"too few":        {[]string{from, "--images", drawnPictures(t, 20), "-o", "conv-int8"}, exitFailed, "20 images could be decoded, and at least 32"},
		"below the bar":  {[]string{from, "--images", images, "-o", "conv-int8", "--min-cosine", "1"}, exitFailed, "below --min-cosine 1"},
		"its own name":   {[]string{from, "--images", images, "-o", "conv"}, exitFailed, "a name of its own"},
		"a known name":   {[]string{from, "--images", images, "-o", "resnet50"}, exitFailed, "resnet50-int8"},
		"a bad name":     {[]string{from, "--images", images, "-o", "../x"}, exitFailed, "not possible"},
		"no images":      {[]string{from, "-o", "conv-int8"}, exitUsage, "--images DIR is missing"},
		"no name":        {[]string{from, "--images", images}, exitUsage, "-o NAME is missing"},
		"no such cosine": {[]string{from, "--images", images, "-o", "conv-int8", "--aim", "2"}, exitUsage, "between -1 and 1"},
		"few by a limit": {[]string{from, "--images", images, "-o", "conv-int8", "--max-images", "5"}, exitUsage, "--max-images"},
	} {
		got := quantize(c.args...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: status %d, %s", name, got.code, got.stderr)
		}
		if _, err := os.Stat(installed); err == nil {
			t.Fatalf("%s: a model was installed", name)
		}
	}

	got := quantize(from, "--images", images, "-o", "conv-int8")
	if got.code != exitOK || !strings.Contains(got.stderr, "against float") || !strings.Contains(got.stderr, "16 images held out") || strings.Contains(got.stderr, "cosine to fp32") {
		t.Fatalf("status %d, %s", got.code, got.stderr)
	}
	var m model.Manifest
	data, err := os.ReadFile(installed)
	must(t, err)
	must(t, json.Unmarshal(data, &m))
	q := m.Quantised
	if q == nil || q.Precision != imgvec.INT8 || q.From != "conv" || q.Calibrated != 12 || q.Layers != 2 || q.By != "imgvec v0.0.0-test" || len(q.Cosines) == 0 || q.Cosines[0].Mean < 0.99 {
		t.Errorf("%+v", q)
	}
	if m.Spec.Preset.InputSize.Width != 24 || m.License != "none needed" || !m.Random || !strings.Contains(m.Source, "quantised to int8 from conv by imgvec v0.0.0-test with 12 images") {
		t.Errorf("%+v", m)
	}
	usesQuantised(t, env, images)

	// The same model anew is no news; another one of this name is in the way.
	if got := quantize(from, "--images", images, "-o", "conv-int8"); got.code != exitOK {
		t.Errorf("again: %s", got.stderr)
	}
	other := convModel(t)
	file, err := os.OpenFile(filepath.Join(other, model.ModelFile), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = file.Write([]byte{0x32, 1, 'x'}) // doc_string: another SHA-256
	must(t, err)
	must(t, file.Close())
	if got := quantize(other, "--images", images, "-o", "conv-int8"); got.code != exitFailed || !strings.Contains(got.stderr, "--force") {
		t.Errorf("another: status %d, %s", got.code, got.stderr)
	}
	if got := quantize(other, "--images", images, "-o", "conv-int8", "--force", "--min-cosine", "1", "--accept"); got.code != exitOK {
		t.Errorf("another, forced: %s", got.stderr)
	}
}

// usesQuantised runs the commands that tell what a model computes in.
func usesQuantised(t *testing.T, env []string, images string) {
	t.Helper()
	run := func(args ...string) outcome { return call{args: args, env: env}.run(t) }
	for _, precision := range []string{"auto", "int8"} {
		got := run("extract", images, "-o", "f.jsonl", "--model", "conv-int8", "--device", "cpu", "--precision", precision)
		if got.code != exitOK || !strings.Contains(got.stderr, ", int8; decoded by") {
			t.Errorf("extract in %s: status %d, %s", precision, got.code, got.stderr)
		}
	}
	if got := run("extract", images, "-o", "f.jsonl", "--model", "conv-int8", "--device", "cpu", "--precision", "fp32"); got.code == exitOK || !strings.Contains(got.stderr, "use auto or int8") {
		t.Errorf("extract in fp32: status %d, %s", got.code, got.stderr)
	}
	if got := run("model", "info", "conv-int8"); !strings.Contains(got.stdout, "int8, quantised from conv") || !strings.Contains(got.stdout, "against float") {
		t.Errorf("info: %s%s", got.stdout, got.stderr)
	}
	if got := run("model", "verify", "conv-int8"); got.code != exitOK || !strings.Contains(got.stderr, "cosine to int8 on ONNX Runtime's own provider") {
		t.Errorf("verify: status %d, %s", got.code, got.stderr)
	}
	if got := run("doctor"); !strings.Contains(got.stdout, "int8: mean cosine to conv in float 0.99") || strings.Contains(got.stdout, "int8: least cosine") {
		t.Errorf("doctor: %s%s", got.stdout, got.stderr)
	}
	if got := run("model", "quantize", "conv-int8", "--images", images, "-o", "conv-int8-int8"); got.code != exitFailed || !strings.Contains(got.stderr, "computes in int8") {
		t.Errorf("quantised again: status %d, %s", got.code, got.stderr)
	}
}
