package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/model"
)

// fakePeer is a contender that does 10 images in the given seconds a round.
func fakePeer(t *testing.T, name, seconds string) *contender {
	t.Helper()
	script := `echo 'a library says hello'; echo '{"ready": true, "versions": {"fake": "1"}}'
while read -r line; do echo '{"images": 10, "seconds": ` + seconds + `}'; done`
	return &contender{name: name, command: []string{"/bin/sh", "-c", script}}
}

func TestRoundsAndRatios(t *testing.T) {
	all := []*contender{fakePeer(t, library, "0.5"), fakePeer(t, torchScript, "5")}
	for _, c := range all {
		if err := c.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer c.stop()
	}
	for range 3 {
		for _, c := range all {
			if _, err := c.round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if all[0].versions["fake"] != "1" {
		t.Errorf("versions = %v", all[0].versions)
	}
	var out strings.Builder
	dir := t.TempDir()
	if err := report(&out, options{images: 10, rounds: 3, results: dir}, all); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"20.0", "2.00", "10.00x"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("results: %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || strings.Count(string(text), "\n") != 2 {
		t.Errorf("results hold %q, %v", text, err)
	}
}

func TestAPeerThatDiesIsAnError(t *testing.T) {
	c := &contender{name: "dead", command: []string{"/bin/sh", "-c", "exit 3"}}
	defer c.stop()
	if err := c.start(t.Context()); err == nil {
		t.Error("no error")
	}
}

// TestAPeerThatCantStartIsLeftOut: the others go on, and the report says why.
func TestAPeerThatCantStartIsLeftOut(t *testing.T) {
	own := fakePeer(t, library, "0.5")
	lost := &contender{name: torchScript, peer: true, command: []string{"/bin/sh", "-c", `echo '{"skip": "no PyTorch"}'`}}
	all := []*contender{own, lost}
	for _, c := range all {
		if err := c.begin(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		defer c.stop()
	}
	if _, err := own.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	dir := t.TempDir()
	if err := report(&out, options{images: 10, rounds: 1, results: dir}, all); err != nil || !strings.Contains(out.String(), "left out: no PyTorch") {
		t.Errorf("%v:\n%s", err, out.String())
	}
	lost.peer, lost.skipped = false, ""
	if err := lost.begin(t.Context(), all); err == nil {
		t.Error("imgvec's own contender that can't start is no error")
	}
}

// TestPeersGetThePrecisionOfOurs: OpenVINO computes in what imgvec's model did, and not in what a peer says.
func TestPeersGetThePrecisionOfOurs(t *testing.T) {
	given := []string{"x", precisionOfOurs}
	others := []*contender{{name: inferOnly, versions: map[string]string{"precision": "bf16"}}, {peer: true, versions: map[string]string{"precision": "int3"}}}
	c := &contender{command: given}
	if c.settle(others); c.command[1] != "bf16" {
		t.Errorf("command %v", c.command)
	}
	c = &contender{command: []string{precisionOfOurs}}
	if c.settle(nil); c.command[0] != "auto" {
		t.Errorf("command %v", c.command)
	}
}

func TestMedian(t *testing.T) {
	if s := spreadOf([]float64{5, 1, 3}); s != (spread{3, 1, 5}) {
		t.Errorf("spread = %v", s)
	}
	if s := spreadOf([]float64{4, 1, 3, 2}); s.Median != 2.5 {
		t.Errorf("median = %v", s.Median)
	}
}

func TestTreeCPUCountsThisProcess(t *testing.T) {
	before, err := treeCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for used := before; used < before+0.05; {
		if used, err = treeCPU(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestParseStat(t *testing.T) {
	line := "42 (a ) name) S 7 41 40 0 -1 0 0 0 0 0 150 50 20 10 20 0 3 0 1 2 3"
	p, err := parseStat(line)
	seconds := p.seconds
	p.seconds = 0
	if want := (procStat{name: "a ) name", pid: 42, parent: 7, session: 40}); err != nil || p != want || math.Abs(seconds-2.3) > 1e-9 {
		t.Errorf("got %+v, %v s, %v", p, seconds, err)
	}
}

// The quantised model takes part where it is installed, or where it was asked for.
func TestINT8Contenders(t *testing.T) {
	t.Setenv("IMGVEC_HOME", t.TempDir())
	if all, err := int8Contenders(options{model: "resnet50-random"}, "self", "list"); err != nil || len(all) != 0 {
		t.Errorf("not installed, not asked for: %v, %v", all, err)
	}
	if _, err := int8Contenders(options{model: "resnet50-random", int8: "mine"}, "self", "list"); err == nil {
		t.Error("a model that was asked for and is not there is passed over")
	}
	m, err := model.Random("resnet18", 0, model.RandomOptions{Name: "r-int8", Home: os.Getenv("IMGVEC_HOME")})
	if err != nil {
		t.Fatal(err)
	}
	all, err := int8Contenders(options{model: "r"}, "self", "list")
	if err != nil || len(all) != 2 || all[0].name != libraryINT8 || all[1].command[len(all[1].command)-1] != m.Name {
		t.Errorf("%v, %v", all, err)
	}
	rates := map[string][]float64{library: {2, 2}, libraryINT8: {6, 8}, torchScript: {1, 1}, decodeOnly: {24, 24}, inferINT8: {8, 12}}
	want := map[string]float64{"imgvec in int8 / the usual PyTorch script": 7, "imgvec in int8 / imgvec": 3.5, "imgvec in int8 / its bound": 1}
	for _, r := range ratios(rates) {
		if v, ok := want[r.text]; ok && v != r.Median {
			t.Errorf("%s is %v, want %v", r.text, r.Median, v)
		}
		delete(want, r.text)
	}
	if len(want) > 0 {
		t.Errorf("no ratio %v", want)
	}
}
