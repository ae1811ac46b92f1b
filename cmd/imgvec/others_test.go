package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	// An error is told as extract tells it.
	o = call{args: []string{"bench", "--model", tiny, "--device", "cuda:77"}}.run(t)
	o.want(t, exitFailed, `imgvec: open device "cuda:77": `)
	if strings.Contains(o.stderr, "measure") {
		t.Errorf("%s", o.stderr)
	}
}

func TestDoctor(t *testing.T) {
	empty := t.TempDir()
	o := call{args: []string{"doctor"}, env: []string{"IMGVEC_HOME=" + empty, "IMGVEC_SYSTEM_LIBRARIES=off"}}.run(t)
	o.want(t, exitFailed, "no model can run on this machine")
	if !strings.Contains(o.stdout, "imgvec setup") || !strings.Contains(o.stdout, empty) || strings.Contains(o.stderr, "tried") {
		t.Errorf("%s\n%s", o.stdout, o.stderr)
	}
	needModel(t)
	o = command(t, "doctor", "--json")
	o.want(t, 0)
	var m measure.Machine
	must(t, json.Unmarshal([]byte(o.stdout), &m))
	if m.CPU.Library.Version == "" || len(m.Decoders) < 6 || m.GPU.Usable || m.GPU.Error == "" || m.Home.Path == "" ||
		m.Auto.Device != "cpu" || m.Auto.Precision == "" || m.Auto.Provider == "" {
		t.Errorf("%s", o.stdout)
	}
	for _, key := range []string{`"format": "jpeg"`, `"library": `} {
		if !strings.Contains(o.stdout, key) {
			t.Errorf("the decoders lack %s: %s", key, o.stdout)
		}
	}
	if strings.Contains(o.stdout, `"Format"`) || strings.Contains(o.stdout, `"fault": ""`) {
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
	for _, ext := range extensions {
		out := filepath.Join(t.TempDir(), "x"+ext)
		command(t, "extract", pictures(t, 1), "-o", out, "--model", dir).want(t, 0, "RANDOM WEIGHTS")
		_, meta, err := readRows(out)
		must(t, err)
		marked, _ := meta.GetValue("imgvec.random_weights")
		if path := map[string]string{".npy": out + ".ids.jsonl", ".jsonl": out}[ext]; path != "" {
			var line struct {
				Random bool `json:"random_weights"`
			}
			text, err := os.ReadFile(path)
			must(t, err)
			must(t, json.Unmarshal(text, &line))
			marked = strconv.FormatBool(line.Random)
		}
		if marked != "true" {
			t.Errorf("%s does not say that the weights are random: %v", ext, meta)
		}
	}
}

// TestBenchRefusesLargeFiles: --max-bytes counts there too, and nothing is cut off.
func TestBenchRefusesLargeFiles(t *testing.T) {
	dir := pictures(t, 2)
	entries, err := os.ReadDir(dir)
	must(t, err)
	var sizes []int64
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		sizes = append(sizes, info.Size())
	}
	slices.Sort(sizes)
	a := &app{stdin: strings.NewReader(""), stderr: os.Stderr}
	read, err := a.benchImages(t.Context(), []string{dir}, sizes[0])
	must(t, err)
	if len(read) != 2 || int64(max(len(read[0]), len(read[1]))) != sizes[0]+1 {
		t.Errorf("%d images of %v bytes read with a limit of %d", len(read), sizes, sizes[0])
	}
}

func TestSamples(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "samples")
	command(t, "setup", "--samples", dir).want(t, 0)
	for _, ext := range []string{".jpg", ".png"} {
		if !slices.ContainsFunc(left(t, dir), func(name string) bool { return filepath.Ext(name) == ext }) {
			t.Errorf("no %s among %v", ext, left(t, dir))
		}
	}
}
