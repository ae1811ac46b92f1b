package executor

import (
	"maps"
	"slices"
	"time"
)

// Stats is a snapshot of what an executor is and what it has done since it was opened.
type Stats struct {
	Images  int64         // finished, the failed ones among them
	Failed  int64         // that have an error instead of features
	Batches int64         // that ran
	Padding int64         // images that Deterministic added to fill batches up
	Wall    time.Duration // while at least one call was under way
	Stages  map[string]Stage

	Device    string            // "cpu (AMD EPYC ...)", "cuda:0, cuda:1 (NVIDIA H100 ...)"
	Devices   []string          // the names alone: "cpu"; "cuda:0", "cuda:1"; those lost on the way too
	Provider  string            // the execution provider with its version
	Precision string            // what the session computes in
	Decoder   string            // the image libraries with their versions
	Model     string            // its name
	SHA256    string            // of its file
	Batch     int               // images a batch holds
	Workers   int               // goroutines that decode
	Streams   int               // batches that can run at once
	Versions  map[string]string // of the native libraries, by name
	Reasons   []string          // what a person should know: why this device and precision, what went wrong on the way

	BatchBytes     int64 // memory of the batches
	AbandonedBytes int64 // memory left to devices that did not answer
}

// Stage is the work of one step: read, decode, resize, h2d, normalize, session, d2h; and queue, the time that images
// waited for a worker, a batch, a stream or a GPU.
type Stage struct {
	Busy   time.Duration // of all goroutines together; of h2d to d2h on GPUs that of the devices, by their own clocks
	Images int64
}

// Stats is cheap, and safe to call at any time, also after Close.
func (e *Executor) Stats() Stats {
	s := e.about
	s.Images, s.Failed = e.totals.done.Load(), e.totals.failed.Load()
	s.Batches, s.Padding = e.totals.batches.Load(), e.totals.padding.Load()
	s.Stages = make(map[string]Stage, stageCount)
	for i, name := range stageNames {
		s.Stages[name] = Stage{time.Duration(e.totals.nanos[i].Load()), e.totals.images[i].Load()}
	}
	e.splitRun(s.Stages)
	s.Batch, s.Workers, s.Streams = e.batch, e.nworkers, e.devices.streams()
	s.BatchBytes = e.ring.bytes()
	e.mu.Lock()
	defer e.mu.Unlock()
	s.Devices = slices.Clone(s.Devices)
	s.Versions, s.Reasons = maps.Clone(s.Versions), slices.Clone(e.notes)
	if s.Wall = e.wall; e.running > 0 {
		s.Wall += time.Since(e.since)
	}
	for _, a := range e.abandoned {
		if a.waiting() {
			s.AbandonedBytes += a.bytes
		}
	}
	return s
}

// timed is a backend that tells the steps of Run apart: how long it has normalised and computed since it was opened, all
// streams together. Of others all of Run counts as session.
type timed interface {
	Busy() (normalize, session time.Duration)
}

// splitRun tells the steps of Run apart, where the backends know them.
func (e *Executor) splitRun(stages map[string]Stage) {
	for _, in := range e.devices.all {
		if in.onGPU != nil {
			addGPU(stages, in)
		} else if b, ok := in.backend.(timed); ok {
			normalize, _ := b.Busy()
			run, norm := stages[stageNames[stageSession]], stages[stageNames[stageNormalize]]
			run.Busy, norm.Busy, norm.Images = max(0, run.Busy-normalize), norm.Busy+normalize, run.Images
			stages[stageNames[stageSession]], stages[stageNames[stageNormalize]] = run, norm
		}
	}
}

// addGPU adds what a GPU has worked, by its own clock.
func addGPU(stages map[string]Stage, in *instance) {
	b, images := in.onGPU.Busy(), in.images.Load()
	for s, d := range map[stage]time.Duration{
		stageH2D: b.H2D, stageNormalize: b.Normalize, stageSession: b.Session, stageD2H: b.D2H,
	} {
		sum := stages[stageNames[s]]
		stages[stageNames[s]] = Stage{sum.Busy + d, sum.Images + images}
	}
}
