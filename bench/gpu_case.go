package main

import (
	"strings"
)

// The protocol of a GPU contender. It is a process that says when it is up, and then answers a line of JSON with a line
// of JSON: "prepare" makes a case ready (compiled, warmed up), "go" measures it once. A case is a scenario in a size of
// batch. peers/cases.py speaks it too.

// The scenarios: those of package measure, its single stages, and what the machine can do at best.
const (
	offlineDevice = "offline-device" // pixels on the device -> features on the device
	offlineU8     = "offline-u8"     // pixels in page-locked memory -> features in memory
	offlineJPEG   = "offline-jpeg"   // encoded images in memory -> features in memory
	single        = "single"         // one image, one call after the other
	stepsAlone    = "steps"          // as offline-u8, one batch at a time, for the time of each step
	decodeAlone   = "decode"         // encoded images -> pixels
	limitH2D      = "limit-h2d"
	limitD2H      = "limit-d2h"
	limitHBM      = "limit-hbm"
	limitGEMM     = "limit-gemm-fp16"
)

// request is what the harness asks.
type request struct {
	Do       string  `json:"do"` // "prepare", "go"
	Scenario string  `json:"scenario"`
	Batch    int     `json:"batch"`   // 0: the contender's own choice
	Seconds  float64 `json:"seconds"` // that a "go" lasts, about
}

// answer is what a contender says. The first one has Ready or Skip; that to "prepare" has them too; that to "go" has
// Images, Bytes or Flop and the seconds that they took.
type answer struct {
	Ready    bool               `json:"ready,omitempty"`
	Skip     string             `json:"skip,omitempty"` // why it can't
	Versions map[string]string  `json:"versions,omitempty"`
	Once     map[string]float64 `json:"once,omitempty"`  // seconds, of what is paid once
	About    map[string]string  `json:"about,omitempty"` // of the case
	DryRun   bool               `json:"dry_run,omitempty"`

	Images  int                `json:"images,omitempty"`
	Bytes   float64            `json:"bytes,omitempty"`
	Flop    float64            `json:"flop,omitempty"`
	Seconds float64            `json:"seconds,omitempty"`
	Steps   map[string]float64 `json:"steps,omitempty"` // seconds of the device, or of the workers
	P50     float64            `json:"p50_ms,omitempty"`
	P99     float64            `json:"p99_ms,omitempty"`
}

// rate is what the answer measured: images a second, GB/s or TFLOP/s.
func (a answer) rate() float64 {
	switch {
	case a.Bytes > 0:
		return a.Bytes / a.Seconds / 1e9
	case a.Flop > 0:
		return a.Flop / a.Seconds / 1e12
	}
	return float64(a.Images) / a.Seconds
}

func (a answer) unit() string {
	switch {
	case a.Bytes > 0:
		return "GB/s"
	case a.Flop > 0:
		return "TFLOP/s"
	}
	return "img/s"
}

// gpuCase is one contender in one scenario and size of batch, with what came of it.
type gpuCase struct {
	peer     *gpuPeer
	Scenario string
	Batch    int
	Once     map[string]float64
	About    map[string]string
	Rounds   []answer
	Skipped  string
}

func (c *gpuCase) name() string { return c.peer.name }

func (c *gpuCase) rates() []float64 {
	values := make([]float64, len(c.Rounds))
	for i, a := range c.Rounds {
		values[i] = a.rate()
	}
	return values
}

// swept tells whether the scenario is run in every size of batch.
func swept(scenario string) bool {
	return scenario == offlineDevice || scenario == offlineU8 || scenario == stepsAlone
}

// limit tells whether the scenario measures the machine and not a contender.
func limit(scenario string) bool { return strings.HasPrefix(scenario, "limit-") }
