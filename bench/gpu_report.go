package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// gpuRecord is one case's line in the results.
type gpuRecord struct {
	Kind      string             `json:"kind"` // "gpu-case"
	Run       time.Time          `json:"run"`
	Simulated bool               `json:"simulated"`
	DryRun    bool               `json:"dry_run,omitempty"` // the peer ran on a CPU, to try its script
	Contender string             `json:"contender"`
	What      string             `json:"what"`
	Scenario  string             `json:"scenario"`
	Batch     int                `json:"batch"`
	Unit      string             `json:"unit"`
	Rate      spread             `json:"rate"`
	Rounds    []answer           `json:"rounds"`
	Once      map[string]float64 `json:"once,omitempty"`
	About     map[string]string  `json:"about,omitempty"`
	Versions  map[string]string  `json:"versions,omitempty"`
}

func (r *gpuRun) record(c *gpuCase) gpuRecord {
	return gpuRecord{
		Kind: "gpu-case", Run: r.Run, Simulated: r.Simulated, DryRun: c.peer.dryRun, Contender: c.name(), What: c.peer.what,
		Scenario: c.Scenario, Batch: c.Batch, Unit: c.Rounds[0].unit(), Rate: spreadOf(c.rates()), Rounds: c.Rounds,
		Once: c.Once, About: c.About, Versions: c.peer.versions,
	}
}

// records are the cases that were measured.
func (r *gpuRun) records() []gpuRecord {
	var all []gpuRecord
	for _, c := range r.cases {
		if len(c.Rounds) > 0 {
			all = append(all, r.record(c))
		}
	}
	return all
}

// mark stands before every line that tells of a run on the simulated driver.
func mark(simulated bool) string {
	if simulated {
		return "SIMULATED, no figure: "
	}
	return ""
}

// table prints what was measured, for a person.
func (r *gpuRun) table(out io.Writer) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	set := gpuSet{gpuRun: *r, cases: r.records()}
	fmt.Fprintf(w, "%s, %s, on %s, %d cores; model %s; %d rounds of %v interleaved\n\n", r.GPU.Model, r.Driver, r.CPU, r.Cores, r.Model, r.Rounds, r.options.turn)
	fmt.Fprintf(w, "scenario\tbatch\tcontender\tmedian\tleast\tmost\t\n")
	for _, c := range set.cases {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s%s\n", c.Scenario, batchText(c.Batch), c.Contender, figure(c.Rate.Median), figure(c.Rate.Min), figure(c.Rate.Max), c.Unit, latencyText(c))
	}
	fmt.Fprintln(w)
	for _, line := range set.steps() {
		fmt.Fprintln(w, line.text())
	}
	for _, line := range set.ratios() {
		fmt.Fprintln(w, line)
	}
	for _, line := range set.once() {
		fmt.Fprintln(w, line)
	}
	for _, c := range r.Clocks {
		fmt.Fprintf(w, "%s: SM %.0f MHz, memory %.0f MHz, %.0f W, %.0f C\n", c.When, c.SM, c.Memory, c.Power, c.Temperature)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(w, "left out: %s: %s\n", name, r.Skipped[name])
	}
	_ = w.Flush() // into memory
	for line := range strings.Lines(text.String()) {
		fmt.Fprint(out, mark(r.Simulated)+line)
	}
}

func batchText(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// figure shows three digits, or all before the point.
func figure(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.9995:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func latencyText(c gpuRecord) string {
	var p50, p99 []float64
	for _, a := range c.Rounds {
		if a.P50 > 0 {
			p50, p99 = append(p50, a.P50), append(p99, a.P99)
		}
	}
	if p50 == nil {
		return ""
	}
	return fmt.Sprintf(" (p50 %s ms, p99 %s ms)", figure(spreadOf(p50).Median), figure(spreadOf(p99).Median))
}

// save appends the run's lines to the results of this day and machine.
func (r *gpuRun) save(w io.Writer) error {
	var paths []string
	if r.options.out != "" {
		paths = append(paths, r.options.out)
	}
	if r.options.results != "" {
		name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(r.GPU.Model), "-"), "-")
		paths = append(paths, filepath.Join(r.options.results, r.Run.Format("2006-01-02")+"-"+name+".jsonl"))
	}
	for _, path := range paths {
		if err := r.append(path); err != nil {
			return err
		}
		fmt.Fprintf(w, "%sresults: %s\n", mark(r.Simulated), path)
	}
	return nil
}

func (r *gpuRun) append(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	out := json.NewEncoder(f)
	errs := []error{out.Encode(r)}
	for _, c := range r.records() {
		errs = append(errs, out.Encode(c))
	}
	return errors.Join(append(errs, f.Close())...)
}
