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
	StageDevice = "device" // pixels on the device -> features there, alone (offline-device)
	StageSteps  = "steps"  // as infer, one batch at a time: no step waits for another batch's, so each shows its own time
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
	// Bound is what the whole could do at best, by the rule of Formula; Share is the part of it that it does.
	Bound   *Series         `json:"bound,omitempty"`
	Formula string          `json:"bound_formula,omitempty"`
	Share   *Series         `json:"share,omitempty"`
	Busy    map[string]Busy `json:"busy,omitempty"` // inside the whole, by step
	Overlap float64         `json:"overlap"`        // part of the workers' time that is spent on steps

	// Steps are those of a GPU in StageSteps. Efficiency is how well batches overlap: the time of the slowest step over
	// the time that StageInfer takes for as many images; 1 is a pipeline in which nothing but that step shows.
	Steps      map[string]Busy `json:"steps,omitempty"`
	Efficiency float64         `json:"overlap_efficiency,omitempty"`

	Single []Latency `json:"single,omitempty"`

	stepped Took // all rounds of StageSteps
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
	r.stepped.Steps = map[string]time.Duration{}
}

func (r *Report) add(stage string, took Took) {
	if r.Stages[stage] == nil {
		r.Stages[stage] = &Series{}
	}
	r.Stages[stage].add(took.rate())
	if stage == StageSteps {
		r.stepped.Images += took.Images
		for name, d := range took.Steps {
			r.stepped.Steps[name] += d
		}
	}
}

func (s *Series) add(v float64) {
	s.Rounds = append(s.Rounds, v)
	sorted := slices.Sorted(slices.Values(s.Rounds))
	n := len(sorted)
	s.Min, s.Max, s.Median = sorted[0], sorted[n-1], (sorted[(n-1)/2]+sorted[n/2])/2
}

// What the whole can do at best: on a CPU the decoders and the model share the cores, beside a GPU they don't.
const (
	boundShared = "1/(1/decode + 1/model)"
	boundApart  = "the slower of decode and model"
)

// finish computes what follows from the rates, round by round, and where the time inside the whole went.
func (r *Report) finish(before, after executor.Stats, workers int, gpu bool) {
	r.steps()
	decode, infer, whole := r.Stages[StageDecode], r.Stages[StageInfer], r.Stages[StageWhole]
	if whole == nil {
		return
	}
	r.Bound, r.Share, r.Formula = &Series{}, &Series{}, boundShared
	for i, rate := range whole.Rounds {
		bound := 1 / (1/decode.Rounds[i] + 1/infer.Rounds[i])
		if gpu {
			bound, r.Formula = min(decode.Rounds[i], infer.Rounds[i]), boundApart
		}
		r.Bound.add(bound)
		r.Share.add(rate / bound)
	}
	spent := since(stepsOf(before), stepsOf(after))
	total := sum(spent)
	r.Busy = shares(spent, after.Images-before.Images)
	if wall := after.Wall - before.Wall; wall > 0 {
		r.Overlap = float64(total) / float64(wall) / float64(workers)
	}
}

// steps tells where the time of StageSteps went, and how much of it StageInfer hides.
func (r *Report) steps() {
	infer := r.Stages[StageInfer]
	if r.stepped.Images == 0 || infer == nil {
		return
	}
	r.Steps = shares(r.stepped.Steps, int64(r.stepped.Images))
	slowest := time.Duration(0)
	for _, d := range r.stepped.Steps {
		slowest = max(slowest, d)
	}
	r.Efficiency = slowest.Seconds() / float64(r.stepped.Images) * infer.Median
}

func sum(steps map[string]time.Duration) (total time.Duration) {
	for _, d := range steps {
		total += d
	}
	return total
}

func shares(steps map[string]time.Duration, images int64) map[string]Busy {
	busy, total := map[string]Busy{}, sum(steps)
	for name, d := range steps {
		busy[name] = Busy{PerImage: d / time.Duration(max(images, 1)), Share: float64(d) / float64(total)}
	}
	return busy
}
