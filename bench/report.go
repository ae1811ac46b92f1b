package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// record is one contender's line in the results file.
type record struct {
	Kind      string            `json:"kind,omitempty"` // "cpu"; older ones have none
	Run       time.Time         `json:"run,omitzero"`   // when it began: the same in all lines of a run
	Time      time.Time         `json:"time"`
	Commit    string            `json:"commit"`
	Command   string            `json:"command,omitempty"`
	CPU       string            `json:"cpu"`
	Cores     int               `json:"cores"`
	Model     string            `json:"model"`
	Contender string            `json:"contender"`
	What      string            `json:"what"`
	Rate      spread            `json:"images_per_second"`
	CPUMillis spread            `json:"cpu_ms_per_image"`
	Rounds    []result          `json:"rounds"`
	Versions  map[string]string `json:"versions,omitempty"`
	Skipped   string            `json:"skipped,omitempty"` // why it was left out
}

// spread is the median of some rounds, with their extremes.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

func each(rounds []result, value func(result) float64) []float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = value(r)
	}
	return values
}

// report prints the table and the ratios and writes the results file.
func report(w io.Writer, o options, all []*contender) error {
	fmt.Fprintf(w, "\n%s, %d cores; %d images a round, %d rounds interleaved; model %s\n\n", cpuName(), runtime.NumCPU(), o.images, o.rounds, o.model)
	fmt.Fprintf(w, "%-22s %8s  %-17s %9s  %s\n", "contender", "img/s", "(min - max)", "ms CPU", "what")
	rates := map[string][]float64{}
	records := make([]record, 0, len(all))
	for _, c := range all {
		r := recordOf(o, c)
		records = append(records, r)
		if c.skipped != "" {
			fmt.Fprintf(w, "%-22s left out: %s\n", c.name, c.skipped)
			continue
		}
		rates[c.name] = each(c.rounds, result.rate)
		fmt.Fprintf(w, "%-22s %8s  %-17s %9.2f  %s\n", c.name, figure(r.Rate.Median), fmt.Sprintf("(%s - %s)", figure(r.Rate.Min), figure(r.Rate.Max)), r.CPUMillis.Median, c.what)
	}
	fmt.Fprintln(w)
	for _, r := range ratios(rates) {
		fmt.Fprintf(w, "%-58s %s\n", r.text, r)
	}
	if o.results == "" {
		return nil
	}
	path, err := save(o.results, records)
	fmt.Fprintf(w, "\nresults: %s\n", path)
	return err
}

func recordOf(o options, c *contender) record {
	r := record{Kind: "cpu", Run: o.began, Time: time.Now().UTC(), Commit: commit(), Command: o.command, CPU: cpuName(), Cores: runtime.NumCPU(), Model: o.model,
		Contender: c.name, What: c.what, Rounds: c.rounds, Versions: c.versions, Skipped: c.skipped}
	if c.skipped == "" {
		r.Rate, r.CPUMillis = spreadOf(each(c.rounds, result.rate)), spreadOf(each(c.rounds, result.cpuMillis))
	}
	return r
}

// ratio relates two contenders, round by round.
type ratio struct {
	text string
	spread
	percent bool
}

func (r ratio) String() string {
	if r.percent {
		return fmt.Sprintf("%.1f %% (%.1f - %.1f)", 100*r.Median, 100*r.Min, 100*r.Max)
	}
	return fmt.Sprintf("%sx (%s - %s)", factor(r.Median), factor(r.Min), factor(r.Max))
}

func factor(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// ratios relates contenders where both took part.
func ratios(rates map[string][]float64) []ratio {
	var all []ratio
	add := func(text string, a, b []float64, percent bool) {
		if len(a) == 0 || len(a) != len(b) {
			return
		}
		values := make([]float64, len(a))
		for i := range a {
			values[i] = a[i] / b[i]
		}
		all = append(all, ratio{text, spreadOf(values), percent})
	}
	add("imgvec / the usual PyTorch script", rates[library], rates[torchScript], false)
	add("imgvec / DataLoader + torch.compile, bf16", rates[library], rates[torchLoader], false)
	add("imgvec extract / the usual PyTorch script", rates[command], rates[torchScript], false)
	add("imgvec in int8 / the usual PyTorch script", rates[libraryINT8], rates[torchScript], false)
	add("imgvec in int8 / DataLoader + torch.compile, bf16", rates[libraryINT8], rates[torchLoader], false)
	add("imgvec in int8 / imgvec", rates[libraryINT8], rates[library], false)
	add("imgvec / hugot on ONNX Runtime", rates[library], rates[hugotORT], false)
	add("imgvec / hugot in pure Go", rates[library], rates[hugotGo], false)
	add("preprocessing, one core: imgvec / Pillow + torchvision", rates[onePrep], rates[pillowPrep], false)
	add("the model alone: imgvec / OpenVINO for throughput", rates[inferOnly], rates[openvino], false)
	add("imgvec / its bound 1/(1/decode + 1/infer)", rates[library], bound(rates[decodeOnly], rates[inferOnly]), true)
	add("imgvec in int8 / its bound", rates[libraryINT8], bound(rates[decodeOnly], rates[inferINT8]), true)
	return all
}

func bound(decode, infer []float64) []float64 {
	if len(decode) != len(infer) {
		return nil
	}
	values := make([]float64, len(decode))
	for i := range decode {
		values[i] = 1 / (1/decode[i] + 1/infer[i])
	}
	return values
}

func save[T any](dir string, records []T) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(cpuName()), "-")
	path := filepath.Join(dir, time.Now().UTC().Format("2006-01-02")+"-"+strings.Trim(name, "-")+".jsonl")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return path, err
	}
	out := json.NewEncoder(f)
	var errs []error
	for _, r := range records {
		errs = append(errs, out.Encode(r))
	}
	return path, errors.Join(append(errs, f.Close())...)
}

func cpuName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.SplitSeq(string(text), "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

func commit() string {
	out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
