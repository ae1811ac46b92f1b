package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// summary tells a person what the run did, and what did it.
func (x *extraction) summary() {
	t, stats := x.tally, x.ex.Stats()
	var b strings.Builder
	now := t.done.Load() - t.before
	fmt.Fprintf(&b, "%s in %s, %s img/s", images(now, ""), duration(x.running), rate(float64(now)/x.running.Seconds()))
	if t.before > 0 {
		fmt.Fprintf(&b, ", after %s; %s in all", count(t.before)+" before", count(t.done.Load()))
	}
	if n := t.failed.Load(); n > 0 {
		fmt.Fprintf(&b, "; %s", x.paint(red, images(n, "failed")))
	}
	b.WriteString("\n")
	reasons := t.reasons()
	for _, f := range reasons[:min(len(reasons), topReasons)] {
		fmt.Fprintf(&b, "  %s\n", f.line())
	}
	if rest := len(reasons) - topReasons; rest > 0 {
		fmt.Fprintf(&b, "  and %d other reasons (--stats FILE lists them)\n", rest)
	}
	if n := t.retries.Again.Load(); n > 0 {
		fmt.Fprintf(&b, "%s tried again for a passing reason; %s came through\n", counted(n, "read"), images(t.retries.Helped.Load(), ""))
	}
	if n := x.ignored(); n > 0 {
		fmt.Fprintf(&b, "passed by %s whose names are not those of images\n", files(n))
	}
	fmt.Fprintf(&b, "%s (%d features) on %s, %s, %s; decoded by %s\n", stats.Model, x.ex.Spec().Dim, stats.Device, stats.Provider, stats.Precision, stats.Decoder)
	for _, reason := range stats.Reasons {
		if !x.expected(reason) {
			fmt.Fprintf(&b, "  %s\n", oneLine(plain(reason)))
		}
	}
	if x.model.Random {
		fmt.Fprintln(&b, x.paint(red, "the model has RANDOM WEIGHTS: these features mean nothing"))
	}
	if x.mending != nil {
		b.WriteString(x.mended())
	} else if x.flags.output != "-" {
		b.WriteString(x.flags.output + x.outputSize() + "\n")
	}
	fmt.Fprint(x.stderr, b.String())
}

// expected tells whether a reason is no news: it was printed when the run began, or it is that there is no GPU, as on most
// machines. That one is there and is not used is printed. The report and the doctor have all.
func (x *extraction) expected(reason string) bool {
	return slices.Contains(x.atStart, reason) || strings.HasPrefix(reason, "device auto chose the CPU: ")
}

func (x *extraction) outputSize() string {
	text := fmt.Sprintf(": %s rows", count(x.rows))
	if x.rows == 1 {
		text = ": 1 row"
	}
	if x.parts != nil && x.flags.shardRows > 0 {
		return text + " in " + files(int64(x.parts.Files()))
	}
	if info, err := os.Stat(x.flags.output); err == nil {
		text += ", " + bytesText(info.Size())
	}
	return text
}

// runReport is what --stats writes.
type runReport struct {
	Images     int64             `json:"images"`        // of the whole run, however often it was interrupted
	Before     int64             `json:"images_before"` // of them before the last interruption
	Failed     int64             `json:"failed"`
	Ignored    int64             `json:"ignored"`
	Rows       int64             `json:"rows"`
	PerSecond  float64           `json:"images_per_second"` // since the last interruption
	Seconds    float64           `json:"seconds"`           // from the first image, or the last interruption, to the whole output
	Loading    float64           `json:"load_seconds"`      // of the model, before
	Failures   []failure         `json:"failures"`
	Retries    retriesReport     `json:"read_retries"`
	Stages     map[string]stage  `json:"stages"`
	Model      string            `json:"model"`
	SHA256     string            `json:"model_sha256"`
	Random     bool              `json:"random_weights"`
	Dim        int               `json:"dim"`
	Device     string            `json:"device"`
	Provider   string            `json:"provider"`
	Precision  string            `json:"precision"`
	Decoder    string            `json:"decoder"`
	Batch      int               `json:"batch"`
	Workers    int               `json:"workers"`
	Streams    int               `json:"streams"`
	Reasons    []string          `json:"reasons"`
	Versions   map[string]string `json:"versions"`
	Output     string            `json:"output"`
	FinishedAt time.Time         `json:"finished_at"`
}

// retriesReport is about reads that failed for a passing reason.
type retriesReport struct {
	Again  int64 `json:"again"`  // tried again
	Helped int64 `json:"helped"` // images that came through by it
}

// stage is the work of one step, all goroutines together.
type stage struct {
	Busy   float64 `json:"busy_s"`
	Images int64   `json:"images"`
}

func (x *extraction) report() runReport {
	stats := x.ex.Stats()
	r := runReport{
		Images: x.tally.done.Load(), Before: x.tally.before, Failed: x.tally.failed.Load(), Ignored: x.ignored(), Rows: x.rows,
		Seconds: x.running.Seconds(), Loading: x.loading.Seconds(), Failures: x.tally.reasons(), Stages: map[string]stage{},
		Model: stats.Model, SHA256: stats.SHA256, Random: x.model.Random, Dim: x.ex.Spec().Dim, Device: stats.Device,
		Provider: stats.Provider, Precision: stats.Precision, Decoder: stats.Decoder, Batch: stats.Batch,
		Workers: stats.Workers, Streams: stats.Streams, Reasons: append([]string{}, stats.Reasons...),
		Versions: map[string]string{"imgvec": version}, Output: x.outputName(), FinishedAt: time.Now().UTC(),
	}
	r.PerSecond = float64(r.Images-r.Before) / max(r.Seconds, 1e-9)
	r.Retries = retriesReport{x.tally.retries.Again.Load(), x.tally.retries.Helped.Load()}
	maps.Copy(r.Versions, stats.Versions)
	for name, s := range stats.Stages {
		r.Stages[name] = stage{s.Busy.Seconds(), s.Images}
	}
	r.Stages["write"] = stage{x.writing.Seconds(), x.rows}
	return r
}
