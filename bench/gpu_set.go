package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// gpuSet is a run with its cases, as measured or as read back from the results, and what follows from them.
type gpuSet struct {
	gpuRun
	cases []gpuRecord
	file  string // of the results, without its folder and ending
}

func (s gpuSet) find(contender, scenario string, batch int) *gpuRecord {
	for i, c := range s.cases {
		if c.Contender == contender && c.Scenario == scenario && c.Batch == batch {
			return &s.cases[i]
		}
	}
	return nil
}

// best is the contender's fastest case of a scenario, over the sizes of batch.
func (s gpuSet) best(contender, scenario string) *gpuRecord {
	var best *gpuRecord
	for i, c := range s.cases {
		if c.Contender == contender && c.Scenario == scenario && (best == nil || c.Rate.Median > best.Rate.Median) {
			best = &s.cases[i]
		}
	}
	return best
}

// limit is what the machine does at best, in GB/s or TFLOP/s; 0: it was not measured.
func (s gpuSet) limit(scenario string) float64 {
	for _, c := range s.cases {
		if c.Scenario == scenario {
			return c.Rate.Median
		}
	}
	return 0
}

// step is one step of a contender on the device, one batch at a time.
type step struct {
	contender, name string
	batch           int
	micros          float64 // an image
	rate            float64 // images a second, alone
	achieved        float64 // in the limit's unit
	limit           float64 // measured in the same run; 0: unknown
	unit            string
	whole           float64 // images a second of offline-u8, for the last line: the steps together
}

func (s step) share() float64 {
	if s.limit == 0 {
		return 0
	}
	return s.achieved / s.limit
}

func (s step) text() string {
	line := fmt.Sprintf("%s b%d %s\t%.2f us an image\t%s img/s", s.contender, s.batch, s.name, s.micros, figure(s.rate))
	if s.limit > 0 {
		line += fmt.Sprintf("\t%s of %s %s (%.0f%%)", figure(s.achieved), figure(s.limit), s.unit, 100*s.share())
	}
	return line
}

// the steps of a GPU, and the limit that each is held against.
var gpuSteps = []struct {
	name, limit string
	work        func(work) float64
	scale       float64
	unit        string
}{
	{"h2d", limitH2D, func(w work) float64 { return w.H2D }, 1e9, "GB/s"},
	{"normalize", limitHBM, func(w work) float64 { return w.Normalize }, 1e9, "GB/s"},
	{"session", limitGEMM, func(w work) float64 { return w.Flop }, 1e12, "TFLOP/s"},
	{"d2h", limitD2H, func(w work) float64 { return w.D2H }, 1e9, "GB/s"},
}

// steps of imgvec's contenders at the batch that is best for offline-u8.
func (s gpuSet) steps() []step {
	var lines []step
	for _, name := range []string{imgvecAuto, imgvecCUDA} {
		best := s.best(name, offlineU8)
		if best == nil {
			continue
		}
		c := s.find(name, stepsAlone, best.Batch)
		if c == nil {
			continue
		}
		seconds := perImage(c.Rounds)
		for _, g := range gpuSteps {
			t := seconds[g.name]
			if t <= 0 {
				continue
			}
			line := step{contender: name, name: g.name, batch: best.Batch, micros: 1e6 * t, rate: 1 / t, unit: g.unit, whole: best.Rate.Median}
			if w := g.work(s.Work); w > 0 {
				line.achieved, line.limit = w/t/g.scale, s.limit(g.limit)
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// perImage are the seconds an image of each step.
func perImage(rounds []answer) map[string]float64 {
	total, images := map[string]float64{}, 0
	for _, a := range rounds {
		images += a.Images
		for name, s := range a.Steps {
			total[name] += s
		}
	}
	for name := range total {
		total[name] /= float64(max(images, 1))
	}
	return total
}

// overlap is the slowest step's time over that of the pipeline.
func overlap(steps []step, contender string) (value float64, ok bool) {
	for _, s := range steps {
		if s.contender == contender {
			value, ok = max(value, s.whole/s.rate), true
		}
	}
	return value, ok
}

// ratios are what the bars ask for, and how imgvec stands to the peers.
func (s gpuSet) ratios() []string {
	var lines []string
	add := func(text string, a, b *gpuRecord, format string, scale float64) {
		if a == nil || b == nil {
			return
		}
		n := min(len(a.Rounds), len(b.Rounds)) // a case that failed later has fewer
		values := make([]float64, n)
		for i := range n {
			values[i] = scale * a.Rounds[i].rate() / b.Rounds[i].rate()
		}
		v := spreadOf(values)
		lines = append(lines, fmt.Sprintf("%s%s\t"+format+" ("+format+" - "+format+")", text, batches(a, b), v.Median, v.Min, v.Max))
	}
	for _, own := range []string{imgvecAuto, imgvecCUDA, imgvecNHWC} {
		for _, peer := range []string{torchEager, torchCompile, ortPython} {
			for _, scenario := range []string{offlineDevice, offlineU8} {
				add(fmt.Sprintf("%s: %s / %s", scenario, own, peer), s.best(own, scenario), s.best(peer, scenario), "%.2fx", 1)
			}
		}
		add(own+": offline-u8 / offline-device", s.best(own, offlineU8), s.best(own, offlineDevice), "%.1f%%", 100)
	}
	add("imgvec: offline-jpeg / its decoders alone", s.best(imgvecAuto, offlineJPEG), s.best(imgvecAuto, decodeAlone), "%.1f%%", 100)
	steps := s.steps()
	for _, own := range []string{imgvecAuto, imgvecCUDA} {
		if v, ok := overlap(steps, own); ok {
			lines = append(lines, fmt.Sprintf("%s: overlap, the slowest step's time / the pipeline's\t%.1f%%", own, 100*v))
		}
	}
	return lines
}

// batches tells the sizes where the two have one.
func batches(a, b *gpuRecord) string {
	if a.Batch == 0 && b.Batch == 0 {
		return ""
	}
	return fmt.Sprintf(" (batches of %s and %s)", batchText(a.Batch), batchText(b.Batch))
}

// once are the costs that are paid once, each contender's largest.
func (s gpuSet) once() []string {
	most, order := map[string]map[string]float64{}, []string(nil)
	for _, c := range s.cases {
		if most[c.Contender] == nil && len(c.Once) > 0 {
			most[c.Contender], order = map[string]float64{}, append(order, c.Contender)
		}
		for name, v := range c.Once {
			most[c.Contender][name] = max(most[c.Contender][name], v)
		}
	}
	var lines []string
	for _, name := range order {
		var parts []string
		for _, what := range slices.Sorted(maps.Keys(most[name])) {
			parts = append(parts, fmt.Sprintf("%s %.2f s", strings.TrimSuffix(what, "_s"), most[name][what]))
		}
		lines = append(lines, fmt.Sprintf("%s: paid once, at most: %s", name, strings.Join(parts, ", ")))
	}
	return lines
}
