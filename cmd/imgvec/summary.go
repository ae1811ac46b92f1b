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
	fmt.Fprintf(&b, "%s in %s, %s img/s", images(t.done.Load(), ""), duration(x.running), rate(float64(t.done.Load())/x.running.Seconds()))
	if n := t.failed.Load(); n > 0 {
		fmt.Fprintf(&b, "; %s", x.paint(red, images(n, "failed")))
	}
	b.WriteString("\n")
	for _, f := range t.reasons() {
		fmt.Fprintf(&b, "  %s\n", f.line())
	}
	if n := x.source.Ignored(); n > 0 {
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
	if x.flags.output != "-" {
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
	if info, err := os.Stat(x.flags.output); err == nil {
		text += ", " + bytesText(info.Size())
	}
	return text
}

// runReport is what --stats writes.
type runReport struct {
	Images     int64             `json:"images"`
	Failed     int64             `json:"failed"`
	Ignored    int64             `json:"ignored"`
	Rows       int64             `json:"rows"`
	PerSecond  float64           `json:"images_per_second"`
	Seconds    float64           `json:"seconds"`      // from the first image to the whole output
	Loading    float64           `json:"load_seconds"` // of the model, before
	Failures   []failure         `json:"failures"`
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

// stage is the work of one step, all goroutines together.
type stage struct {
	Busy   float64 `json:"busy_s"`
	Images int64   `json:"images"`
}

func (x *extraction) report() runReport {
	stats := x.ex.Stats()
	r := runReport{
		Images: x.tally.done.Load(), Failed: x.tally.failed.Load(), Ignored: x.source.Ignored(), Rows: x.rows,
		Seconds: x.running.Seconds(), Loading: x.loading.Seconds(), Failures: x.tally.reasons(), Stages: map[string]stage{},
		Model: stats.Model, SHA256: stats.SHA256, Random: x.model.Random, Dim: x.ex.Spec().Dim, Device: stats.Device,
		Provider: stats.Provider, Precision: stats.Precision, Decoder: stats.Decoder, Batch: stats.Batch,
		Workers: stats.Workers, Streams: stats.Streams, Reasons: append([]string{}, stats.Reasons...),
		Versions: map[string]string{"imgvec": version}, Output: x.flags.output, FinishedAt: time.Now().UTC(),
	}
	r.PerSecond = float64(r.Images) / max(r.Seconds, 1e-9)
	maps.Copy(r.Versions, stats.Versions)
	for name, s := range stats.Stages {
		r.Stages[name] = stage{s.Busy.Seconds(), s.Images}
	}
	r.Stages["write"] = stage{x.writing.Seconds(), x.rows}
	return r
}
