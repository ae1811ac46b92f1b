package measure

import (
	"slices"
	"time"

	"github.com/imgvec/imgvec/executor"
)

// The stages that are measured.
const (
	StageDecode = "decode" // encoded images -> pixels, alone
	StageInfer  = "infer"  // pixels -> features, alone (offline-u8)
	StageWhole  = "whole"  // encoded images -> features (offline-jpeg)
)

// Report is what was measured. Rates are images a second, over all cores.
type Report struct {
	Images int `json:"images"` // different ones
	Failed int `json:"failed"` // of them, not decodable
	Rounds int `json:"rounds"`
	Cores  int `json:"cores"`

	Model     string            `json:"model"`
	Device    string            `json:"device"`
	Provider  string            `json:"provider"`
	Precision string            `json:"precision"`
	Decoder   string            `json:"decoder"`
	Batch     int               `json:"batch"`
	Workers   int               `json:"workers"`
	Streams   int               `json:"streams"`
	Versions  map[string]string `json:"versions"`
	Reasons   []string          `json:"reasons"`

	Load  time.Duration `json:"load_ns"`  // of the model
	First time.Duration `json:"first_ns"` // the first call after that

	Stages map[string]*Series `json:"stages"`
	// Bound is what the whole could do at best, 1/(1/decode + 1/infer); Share is the part of it that it does.
	Bound   *Series         `json:"bound,omitempty"`
	Share   *Series         `json:"share,omitempty"`
	Busy    map[string]Busy `json:"busy,omitempty"` // inside the whole, by step
	Overlap float64         `json:"overlap"`        // part of the workers' time that is spent on steps

	Single []Latency `json:"single,omitempty"`
}

// Series is one number a round.
type Series struct {
	Rounds []float64 `json:"rounds"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
}

// Busy is the work of one step.
type Busy struct {
	PerImage time.Duration `json:"per_image_ns"` // of one core
	Share    float64       `json:"share"`        // of all steps
}

// Latency is how long one call of Extract takes.
type Latency struct {
	Images    int           `json:"images"` // a call
	Calls     int           `json:"calls"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	PerSecond float64       `json:"images_per_second"` // at the median
}

func (r *Report) describe(s executor.Stats) {
	r.Model, r.Device, r.Provider, r.Precision, r.Decoder = s.Model, s.Device, s.Provider, s.Precision, s.Decoder
	r.Batch, r.Workers, r.Streams, r.Versions, r.Reasons = s.Batch, s.Workers, s.Streams, s.Versions, s.Reasons
	r.Stages = map[string]*Series{}
}

func (r *Report) add(stage string, rate float64) {
	if r.Stages[stage] == nil {
		r.Stages[stage] = &Series{}
	}
	r.Stages[stage].add(rate)
}

func (s *Series) add(v float64) {
	s.Rounds = append(s.Rounds, v)
	sorted := slices.Sorted(slices.Values(s.Rounds))
	n := len(sorted)
	s.Min, s.Max, s.Median = sorted[0], sorted[n-1], (sorted[(n-1)/2]+sorted[n/2])/2
}

// finish computes what follows from the rates, round by round, and where the time inside the whole went.
func (r *Report) finish(before, after executor.Stats, workers int) {
	decode, infer, whole := r.Stages[StageDecode], r.Stages[StageInfer], r.Stages[StageWhole]
	if whole == nil {
		return
	}
	r.Bound, r.Share = &Series{}, &Series{}
	for i, rate := range whole.Rounds {
		bound := 1 / (1/decode.Rounds[i] + 1/infer.Rounds[i])
		r.Bound.add(bound)
		r.Share.add(rate / bound)
	}
	var total time.Duration
	images := after.Images - before.Images
	spent := map[string]time.Duration{}
	for name, stage := range after.Stages {
		if d := stage.Busy - before.Stages[name].Busy; d > 0 && name != "queue" {
			spent[name] = d
			total += d
		}
	}
	r.Busy = map[string]Busy{}
	for name, d := range spent {
		r.Busy[name] = Busy{PerImage: d / time.Duration(max(images, 1)), Share: float64(d) / float64(total)}
	}
	if wall := after.Wall - before.Wall; wall > 0 {
		r.Overlap = float64(total) / float64(wall) / float64(workers)
	}
}
