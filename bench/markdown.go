package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// markdown is the run as a section of a document. The plot goes into plots, by the name of its file.
func (s cpuSet) markdown(link string, plots map[string]string) string {
	first := s.records[0]
	var b strings.Builder
	fmt.Fprintf(&b, "### %s on %s, %d cores\n\n", first.Model, first.CPU, first.Cores)
	command := first.Command
	if command == "" {
		command = "bench"
	}
	fmt.Fprintf(&b, "%s, commit %s, `%s`, %d rounds. %s\n\n", first.Time.Format("2006-01-02"), first.Commit, command, len(first.Rounds), s.versions())
	b.WriteString("| contender | | img/s, median (min - max) | ms CPU an image |\n|---|---|---|---|\n")
	rates := map[string][]float64{}
	var all []bar
	for _, r := range s.records {
		if r.Skipped != "" {
			fmt.Fprintf(&b, "| %s | %s | left out: %s | |\n", r.Contender, r.What, r.Skipped)
			continue
		}
		rates[r.Contender] = each(r.Rounds, result.rate)
		fmt.Fprintf(&b, "| %s | %s | %s (%s - %s) | %s |\n", r.Contender, r.What, figure(r.Rate.Median), figure(r.Rate.Min), figure(r.Rate.Max), figure(r.CPUMillis.Median))
		all = append(all, bar{r.Contender, figure(r.Rate.Median) + " img/s", r.Rate.Median})
	}
	b.WriteString("\n| ratio, within a round | median (min - max) |\n|---|---|\n")
	for _, line := range ratios(rates) {
		fmt.Fprintf(&b, "| %s | %s |\n", line.text, line)
	}
	name := plotName(plots, s.file, first.Model)
	plots[name] = bars(first.Model+" on "+first.CPU, "images a second, median; "+first.Time.Format("2006-01-02"), all)
	fmt.Fprintf(&b, "\n![images a second](%s/%s)\n\n", link, name)
	return b.String()
}

// versions of everything that took part, each once.
func (s cpuSet) versions() string {
	var all []map[string]string
	for _, r := range s.records {
		all = append(all, r.Versions)
	}
	return versionText(all)
}

func versionText(all []map[string]string) string {
	var parts []string
	for _, versions := range all {
		for _, name := range slices.Sorted(maps.Keys(versions)) {
			if part := name + " " + versions[name]; !slices.Contains(parts, part) {
				parts = append(parts, part)
			}
		}
	}
	if parts == nil {
		return ""
	}
	return strings.Join(parts, ", ") + "."
}

// markdown is the run as a section of a document. Its plots go into plots.
func (s gpuSet) markdown(link string, plots map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s on %s\n\n", s.Model, s.GPU.Model)
	fmt.Fprintf(&b, "%s, commit %s, `%s`, %d rounds of %g s a case. %s; %s, %d cores. %s\n\n",
		s.Run.Format("2006-01-02"), s.Commit, s.Command, s.Rounds, s.Turn, s.Driver, s.CPU, s.Cores, s.versions())
	b.WriteString("| scenario | contender | batch | median (min - max) |\n|---|---|---|---|\n")
	for _, c := range s.shown() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s (%s - %s) %s%s |\n", c.Scenario, c.What, batchText(c.Batch),
			figure(c.Rate.Median), figure(c.Rate.Min), figure(c.Rate.Max), c.Unit, latencyText(*c))
	}
	b.WriteString("\n| ratio, within a round | median (min - max) |\n|---|---|\n")
	for _, line := range s.ratios() {
		fmt.Fprintf(&b, "| %s |\n", strings.ReplaceAll(line, "\t", " | "))
	}
	s.stepsMarkdown(&b)
	s.plots(&b, link, plots)
	for _, line := range s.once() {
		fmt.Fprintf(&b, "* %s\n", line)
	}
	for _, c := range s.Clocks {
		fmt.Fprintf(&b, "* %s: SM %.0f MHz, memory %.0f MHz, %.0f W, %.0f C\n", c.When, c.SM, c.Memory, c.Power, c.Temperature)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Skipped)) {
		fmt.Fprintf(&b, "* left out: %s: %s\n", name, s.Skipped[name])
	}
	b.WriteString("\n")
	return b.String()
}

// shown are the cases that stand in a document: of those swept over sizes of batch the best one.
func (s gpuSet) shown() []*gpuRecord {
	var shown []*gpuRecord
	for i := range s.cases {
		c := &s.cases[i]
		if c.Scenario != stepsAlone && (!swept(c.Scenario) || s.best(c.Contender, c.Scenario) == c) {
			shown = append(shown, c)
		}
	}
	slices.SortStableFunc(shown, func(a, b *gpuRecord) int { return strings.Compare(a.Scenario, b.Scenario) })
	return shown
}

func (s gpuSet) stepsMarkdown(b *strings.Builder) {
	steps := s.steps()
	if steps == nil {
		return
	}
	b.WriteString("\nThe steps on the device, one batch at a time, and the limit that the same run measured:\n\n")
	b.WriteString("| contender | step | us an image | img/s alone | of the limit |\n|---|---|---|---|---|\n")
	for _, t := range steps {
		share := "unknown"
		if t.limit > 0 {
			share = fmt.Sprintf("%s of %s %s, %.0f %%", figure(t.achieved), figure(t.limit), t.unit, 100*t.share())
		}
		fmt.Fprintf(b, "| %s, batch %d | %s | %.2f | %s | %s |\n", t.contender, t.batch, t.name, t.micros, figure(t.rate), share)
	}
}

// plots draws the rate over the sizes of batch, for both scenarios that are swept, and the steps as bars.
func (s gpuSet) plots(b *strings.Builder, link string, plots map[string]string) {
	b.WriteString("\n")
	put := func(kind, svg string) {
		name := plotName(plots, s.file, s.Model, kind)
		plots[name] = svg
		fmt.Fprintf(b, "![%s](%s/%s)\n\n", kind, link, name)
	}
	what := s.Model + ", " + s.Run.Format("2006-01-02")
	for _, scenario := range []string{offlineDevice, offlineU8} {
		if all := s.sweep(scenario); all != nil {
			put(scenario, lines(scenario+" on "+s.GPU.Model, what, "images a second", all))
		}
	}
	var all []bar
	for _, t := range s.steps() {
		label := fmt.Sprintf("%.2f us an image", t.micros)
		if t.limit > 0 {
			label += fmt.Sprintf(", %.0f %% of the limit", 100*t.share())
		}
		all = append(all, bar{fmt.Sprintf("%s b%d %s", t.contender, t.batch, t.name), label, t.micros})
	}
	if all != nil {
		put("steps", bars("The steps on "+s.GPU.Model, what+"; microseconds an image, one batch at a time", all))
	}
}

// sweep is the rate over the sizes of batch, a line for each contender.
func (s gpuSet) sweep(scenario string) []series {
	var all []series
	for _, c := range s.cases {
		if c.Scenario != scenario {
			continue
		}
		i := slices.IndexFunc(all, func(l series) bool { return l.name == c.Contender })
		if i < 0 {
			i, all = len(all), append(all, series{name: c.Contender})
		}
		all[i].x, all[i].y = append(all[i].x, float64(c.Batch)), append(all[i].y, c.Rate.Median)
	}
	return all
}

func (s gpuSet) versions() string {
	var all []map[string]string
	for _, c := range s.cases {
		all = append(all, c.Versions)
		if c.Contender == imgvecAuto || c.Contender == imgvecCUDA {
			about := maps.Clone(c.About)
			maps.DeleteFunc(about, func(name, _ string) bool { return slices.Contains([]string{"device", "batch", "graphs"}, name) })
			all = append(all, about)
		}
	}
	return versionText(all)
}
