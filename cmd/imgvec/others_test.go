package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/measure"
)

func TestBench(t *testing.T) {
	needModel(t)
	tiny, dir := tinyModel(t), pictures(t, 4)
	o := command(t, "bench", dir, "--model", tiny, "--rounds", "3", "--seconds", "0.05", "--json")
	o.want(t, 0, "round 3 of 3")
	var r measure.Report
	must(t, json.Unmarshal([]byte(o.stdout), &r))
	for _, stage := range []string{measure.StageDecode, measure.StageInfer, measure.StageWhole} {
		if s := r.Stages[stage]; s == nil || len(s.Rounds) != 3 || s.Min <= 0 {
			t.Errorf("stage %s: %+v", stage, s)
		}
	}
	if r.Share == nil || r.Share.Median <= 0 || len(r.Single) != 3 || r.Images != 4 || r.Provider == "" || r.Decoder == "" {
		t.Errorf("%s", o.stdout)
	}
	o = command(t, "bench", "--model", tiny, "--rounds", "1", "--seconds", "0.05", "--scenario", "offline-u8")
	o.want(t, 0)
	if !strings.Contains(o.stdout, "model alone") || strings.Contains(o.stdout, "the whole") {
		t.Errorf("%s", o.stdout)
	}
}

func TestDoctor(t *testing.T) {
	empty := t.TempDir()
	o := call{args: []string{"doctor"}, env: []string{"IMGVEC_HOME=" + empty, "IMGVEC_SYSTEM_LIBRARIES=off"}}.run(t)
	o.want(t, exitFailed, "no model can run on this machine", empty)
	if !strings.Contains(o.stdout, "imgvec setup") {
		t.Errorf("%s", o.stdout)
	}
	needModel(t)
	o = command(t, "doctor", "--json")
	o.want(t, 0)
	var m measure.Machine
	must(t, json.Unmarshal([]byte(o.stdout), &m))
	if m.CPU.Library.Version == "" || len(m.Decoders) < 6 || m.GPU.Usable || m.GPU.Error == "" || m.Auto.Precision == "" || m.Home.Path == "" {
		t.Errorf("%s", o.stdout)
	}
	if !slices.ContainsFunc(m.Models, func(m measure.Model) bool { return m.Name == "efficientnet-lite0" && m.Error == "" && m.Dim == 1280 }) {
		t.Errorf("models: %+v", m.Models)
	}
}

func TestModelListAndInfo(t *testing.T) {
	needModel(t)
	o := command(t, "model", "list")
	o.want(t, 0)
	for _, want := range []string{"efficientnet-lite0", "resnet50", "1280", "2048"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("list lacks %q:\n%s", want, o.stdout)
		}
	}
	o = command(t, "model", "info", "efficientnet-lite0")
	o.want(t, 0)
	for _, want := range []string{"Apache-2.0", "bicubic", "1280", "SHA-256"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("info lacks %q:\n%s", want, o.stdout)
		}
	}
	o = call{args: []string{"model", "info", "resnet50"}, env: []string{"IMGVEC_HOME=" + t.TempDir()}}.run(t)
	o.want(t, 0)
	if !strings.Contains(o.stdout, "imgvec model pull resnet50") {
		t.Errorf("%s", o.stdout)
	}
	command(t, "model", "info", "efficientnet-lit0").want(t, exitFailed, "efficientnet-lite0")
	command(t, "model", "import", "nosuch.pth", "--arch", "resnet50").want(t, exitFailed, "nosuch.pth")
}

// TestRandomModelSaysSo: wherever features of a model that was never trained are written, it is told.
func TestRandomModelSaysSo(t *testing.T) {
	needModel(t)
	dir := tinyModel(t)
	path := filepath.Join(dir, "imgvec.json")
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(text), "{", `{"random":true,`, 1)), 0o644))
	out := filepath.Join(t.TempDir(), "x.parquet")
	command(t, "extract", pictures(t, 1), "-o", out, "--model", dir).want(t, 0, "RANDOM WEIGHTS")
	_, meta, err := readRows(out)
	must(t, err)
	if v, _ := meta.GetValue("imgvec.random_weights"); v != "true" {
		t.Errorf("the file does not say that the weights are random: %v", meta)
	}
}

func TestSamples(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "samples")
	command(t, "setup", "--samples", dir).want(t, 0)
	if n := len(left(t, dir)); n < 16 {
		t.Errorf("%d pictures", n)
	}
}
