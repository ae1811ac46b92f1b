package measure

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/imgvec/imgvec/executor"
)

func TestSeries(t *testing.T) {
	var s Series
	for _, v := range []float64{5, 1, 3, 9} {
		s.add(v)
	}
	if s.Median != 4 || s.Min != 1 || s.Max != 9 || len(s.Rounds) != 4 || s.Rounds[0] != 5 {
		t.Errorf("%+v", s)
	}
	if s.add(2); s.Median != 3 {
		t.Errorf("median of five: %v", s.Median)
	}
}

func TestPercentile(t *testing.T) {
	var times []time.Duration
	for i := range 200 {
		times = append(times, time.Duration(i+1))
	}
	for p, want := range map[int]time.Duration{50: 100, 99: 198, 100: 200} {
		if got := percentile(times, p); got != want {
			t.Errorf("p%d = %d, want %d", p, got, want)
		}
	}
	if got := percentile(times[:1], 99); got != 1 {
		t.Errorf("p99 of one = %d", got)
	}
}

// TestBound: 300 img/s of decoding and 100 of the model on the same cores leave 75; shares are taken within a round.
func TestBound(t *testing.T) {
	r := &Report{}
	r.describe(executor.Stats{})
	for _, round := range [][3]float64{{300, 100, 75}, {150, 50, 30}, {600, 200, 135}} {
		r.add(StageDecode, rated(round[0]))
		r.add(StageInfer, rated(round[1]))
		r.add(StageWhole, rated(round[2]))
	}
	before := executor.Stats{Stages: map[string]executor.Stage{"decode": {Busy: time.Second}}}
	after := executor.Stats{Images: 100, Wall: 2 * time.Second, Stages: map[string]executor.Stage{
		"decode": {Busy: 2 * time.Second}, "session": {Busy: 2 * time.Second}, "queue": {Busy: 9 * time.Second},
	}}
	r.finish(before, after, 2, false)
	if r.Bound.Median != 75 || math.Abs(r.Share.Median-0.9) > 1e-9 || math.Abs(r.Share.Min-0.8) > 1e-9 || math.Abs(r.Share.Max-1) > 1e-9 {
		t.Errorf("bound %+v, share %+v", r.Bound, r.Share)
	}
	if r.Busy["decode"].PerImage != 10*time.Millisecond || math.Abs(r.Busy["session"].Share-2./3) > 1e-9 || r.Overlap != 0.75 || len(r.Busy) != 2 {
		t.Errorf("busy %+v, overlap %v", r.Busy, r.Overlap)
	}
}

func TestRunRefuses(t *testing.T) {
	if _, err := Run(context.Background(), Options{}); err == nil || !strings.Contains(err.Error(), "no images") {
		t.Errorf("no images: %v", err)
	}
	if _, err := Run(context.Background(), Options{Images: [][]byte{nil}, Scenarios: []Scenario{"x"}}); err == nil || !strings.Contains(err.Error(), `"x" is unknown`) {
		t.Errorf("unknown scenario: %v", err)
	}
}

// rated is a turn of one second at that rate.
func rated(perSecond float64) Took { return Took{Images: int(perSecond), Wall: time.Second} }

// TestBoundBesideAGPU: decoders and model share nothing there, so the slower of the two is the bound.
func TestBoundBesideAGPU(t *testing.T) {
	r := &Report{}
	r.describe(executor.Stats{})
	for _, round := range [][3]float64{{300, 100, 90}, {50, 100, 50}} {
		r.add(StageDecode, rated(round[0]))
		r.add(StageInfer, rated(round[1]))
		r.add(StageWhole, rated(round[2]))
	}
	r.finish(executor.Stats{}, executor.Stats{}, 2, true)
	if r.Bound.Max != 100 || r.Bound.Min != 50 || r.Share.Min != 0.9 || r.Share.Max != 1 || r.Formula != boundApart {
		t.Errorf("bound %+v, share %+v, %q", r.Bound, r.Share, r.Formula)
	}
}

// TestStepsAndEfficiency: the session alone takes 8 ms an image; where the whole takes 10 ms an image, 80 % is that.
func TestStepsAndEfficiency(t *testing.T) {
	r := &Report{}
	r.describe(executor.Stats{})
	r.add(StageInfer, rated(100))
	for range 2 {
		r.add(StageSteps, Took{Images: 50, Wall: time.Second, Steps: map[string]time.Duration{
			"h2d": 100 * time.Millisecond, "session": 400 * time.Millisecond,
		}})
	}
	r.finish(executor.Stats{}, executor.Stats{}, 2, true)
	if r.Steps["session"].PerImage != 8*time.Millisecond || math.Abs(r.Steps["h2d"].Share-0.2) > 1e-9 || math.Abs(r.Efficiency-0.8) > 1e-9 {
		t.Errorf("steps %+v, efficiency %v", r.Steps, r.Efficiency)
	}
}
