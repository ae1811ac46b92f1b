package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imgvec/imgvec/gpu"
)

// fakeGPU is a contender whose every "go" is answered with the given line; a "prepare" of batch 7 is refused.
func fakeGPU(name, goes string, scenarios ...string) *gpuPeer {
	script := `echo 'a library says hello'; echo '{"ready": true, "versions": {"fake": "1"}}'
while read -r line; do case "$line" in
*prepare*'"batch":7'*) echo '{"skip": "out of memory"}' ;;
*prepare*) echo '{"ready": true, "once": {"load_s": 2}}' ;;
*) echo '` + goes + `' ;; esac; done`
	return &gpuPeer{contender: &contender{name: name, what: name + "'s way", command: []string{"/bin/sh", "-c", script}, peer: true}, scenarios: scenarios, patience: time.Minute}
}

// fakeRun is a run of 3 rounds: imgvec does 200 images a second of pixels in memory, PyTorch 100.
func fakeRun(t *testing.T, simulated bool) *gpuRun {
	t.Helper()
	steps := `"steps": {"h2d": 0.1, "normalize": 0.05, "session": 0.8, "d2h": 0.01}`
	peers := []*gpuPeer{
		fakeGPU(limitsOwn, `{"bytes": 25e9, "seconds": 1}`, limitH2D, limitD2H),
		fakeGPU(limitsTorch, `{"flop": 4e13, "seconds": 1}`, limitGEMM),
		fakeGPU(imgvecAuto, `{"images": 100, "seconds": 0.5, `+steps+`}`, offlineU8, stepsAlone),
		fakeGPU(torchCompile, `{"images": 100, "seconds": 1}`, offlineU8),
		{contender: &contender{name: ortPython, command: []string{"/bin/sh", "-c", `echo '{"skip": "no onnxruntime"}'`}}, patience: time.Minute},
	}
	peers[3].batches = []int{64}
	r := &gpuRun{Kind: "gpu-run", Run: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Simulated: simulated, Commit: "abc", Command: "bench gpu", Model: "m",
		GPU: gpu.Device{Model: "Fake GPU 1"}, Rounds: 3, Turn: 1, Skipped: map[string]string{}, Work: work{H2D: 150e3, Flop: 8e9},
		progress: io.Discard, options: gpuOptions{batches: []int{64, 7}, turn: time.Second}}
	r.measure(t.Context(), peers)
	return r
}

func TestGPURun(t *testing.T) {
	r := fakeRun(t, false)
	var out strings.Builder
	r.table(&out)
	for _, want := range []string{
		"Fake GPU 1", "25.0 ", "GB/s", "40.0 ", "TFLOP/s", "2.00x", // 200 to 100 images a second
		"0.15 of 25.0 GB/s (1%)",    // 150 kB in 1 ms
		"1.00 of 40.0 TFLOP/s (2%)", // 8 GFLOP in 8 ms
		"160.0%",                    // 8 ms of the slowest step, 5 ms an image: more than the pipeline, as only a fake can
		"imgvec: paid once, at most: load 2.00 s",
		"left out: ort-python: no onnxruntime",
		"left out: imgvec offline-u8 b7: out of memory",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "SIMULATED") {
		t.Error("a real run is called simulated")
	}
}

func TestSimulatedRunsAreMarkedAndKeptOutOfTheResults(t *testing.T) {
	r := fakeRun(t, true)
	dir := t.TempDir()
	r.options.results, r.options.out = filepath.Join(dir, "results"), filepath.Join(dir, "out.jsonl")
	r.Skipped = map[string]string{}
	out, err := os.Create(filepath.Join(dir, "table"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.finish(out), out.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "SIMULATED") {
			t.Errorf("unmarked line %q", line)
		}
	}
	if _, err := os.Stat(r.options.results); r.options.results != "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("results %q: %v", r.options.results, err)
	}
	kept, err := os.ReadFile(r.options.out)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(kept) {
		if !bytes.Contains(line, []byte(`"simulated":true`)) {
			t.Errorf("unmarked line %s", line)
		}
	}
	// And a document never takes them.
	if err := os.Rename(r.options.out, filepath.Join(dir, "x.jsonl")); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults(dir); err == nil || !strings.Contains(err.Error(), "simulated") {
		t.Errorf("readResults: %v", err)
	}
}

func TestImgvecsFailureIsAnError(t *testing.T) {
	r := fakeRun(t, false)
	if err := r.finish(io.Discard); err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("imgvec's case failed, and the run says %v", err)
	}
}

func TestMachineIsWhatItSeemsToBe(t *testing.T) {
	look := func(r gpu.Report) func(string) gpu.Report { return func(string) gpu.Report { return r } }
	t.Setenv("IMGVEC_CUDA_DRIVER", "")
	for _, c := range []struct {
		simulated string
		report    gpu.Report
		want      string
	}{
		{"", gpu.Report{Error: "no driver"}, "no GPU can be used here: no driver"},
		{"", gpu.Report{Usable: true, Simulated: true}, "simulated driver"},
		{"lib.so", gpu.Report{Usable: true}, "not the simulated driver"},
		{"", gpu.Report{Usable: true}, ""},
		{"lib.so", gpu.Report{Usable: true, Simulated: true}, ""},
	} {
		_, err := gpuOptions{simulated: c.simulated}.machine(look(c.report))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestAGPUPeerThatHangsOrDies(t *testing.T) {
	p := fakeGPU("slow", `{}`)
	p.command, p.patience = []string{"/bin/sh", "-c", "exec sleep 60"}, 50*time.Millisecond
	if err := p.start(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer in 50ms") {
		t.Errorf("hangs: %v", err)
	}
	p.stop()
	p = fakeGPU("liar", `{"seconds": 1}`, offlineU8)
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	c := &gpuCase{peer: p, Scenario: offlineU8, Batch: 1}
	if c.round(1); !strings.Contains(c.Skipped, "nothing") {
		t.Errorf("nothing done: %q", c.Skipped)
	}
}

// failing is a server whose cases fail.
type failing struct{}

func (failing) prepare(request) (answer, error) { return answer{Ready: true}, nil }
func (failing) measure(request) (answer, error) { return answer{}, errors.New("lost") }

func TestServeGoesOnAfterAFailure(t *testing.T) {
	in := strings.NewReader("{\"do\":\"prepare\"}\n{\"do\":\"go\"}\nnot json\n{\"do\":\"dance\"}\n{\"do\":\"prepare\"}\n")
	var out bytes.Buffer
	if err := serveCases(in, &out, failing{}, answer{}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for dec := json.NewDecoder(&out); ; {
		var a answer
		if err := dec.Decode(&a); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(a.Ready, a.Skip != ""))
	}
	if want := "[true false true false false true false true false true true false]"; fmt.Sprint(got) != want {
		t.Errorf("answers %v", got)
	}
}

func TestParseGPU(t *testing.T) {
	o, err := parseGPU([]string{"-batches", "1, 64,8,64", "-scenarios", "offline-u8"})
	if err != nil || fmt.Sprint(o.batches) != "[64 8 1]" || !o.wants(stepsAlone) || !o.wants(limitH2D) || o.wants(offlineDevice) || o.wants(decodeAlone) {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-batches", "0"}, {"-batches", "x"}, {"-scenarios", "steps"}, {"-rounds", "0"}} {
		if _, err := parseGPU(args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

func TestParseClocks(t *testing.T) {
	c, err := parseClocks("1980, 2619, 312.51, 47\n1200, 1, 2, 3")
	if err != nil || c != (clocks{SM: 1980, Memory: 2619, Power: 312.51, Temperature: 47}) {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := parseClocks("1980, 2619, [N/A], 47"); err != nil || c.Power != 0 || c.Temperature != 47 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := parseClocks("No devices were found"); err == nil {
		t.Error("no error")
	}
}
