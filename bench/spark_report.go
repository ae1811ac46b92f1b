package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
)

// sparkRecord is one contender's line in the results file; its rounds say more than those of a record do.
type sparkRecord struct {
	record
	Rounds []sparkRound `json:"rounds"`
}

func cores() int { return runtime.NumCPU() }

// reportSpark prints the tables and writes the results file.
func reportSpark(w io.Writer, o sparkOptions, all []*sparkContender) error {
	s := sparkSet{}
	for _, c := range all {
		r := recordOf(o.options, c.contender)
		r.Kind = "spark"
		s.records = append(s.records, sparkRecord{r, c.rounds})
	}
	fmt.Fprintf(w, "\n%s, %d cores; %d rows a round, %d rounds interleaved; %s; model %s\n\n", cpuName(), cores(), o.images, o.rounds, o.master, o.model)
	fmt.Fprintf(w, "%-24s %8s  %-17s %8s %22s  %s\n", "contender", "rows/s", "(min - max)", "ms CPU", "java + python + imgvec", "what")
	for _, r := range s.records {
		if r.Skipped != "" {
			fmt.Fprintf(w, "%-24s left out: %s\n", r.Contender, r.Skipped)
			continue
		}
		fmt.Fprintf(w, "%-24s %8s  %-17s %8.2f %22s  %s\n", r.Contender, figure(r.Rate.Median),
			fmt.Sprintf("(%s - %s)", figure(r.Rate.Min), figure(r.Rate.Max)), r.CPUMillis.Median, r.partsText(), r.What)
	}
	fmt.Fprintln(w)
	for _, line := range s.lines() {
		fmt.Fprintf(w, "%-76s %s\n", line[0], line[1])
	}
	fmt.Fprintf(w, "\nothers took %s of the processors while a contender ran\n", s.othersText())
	if o.results == "" {
		return nil
	}
	path, err := save(o.results, s.records)
	fmt.Fprintf(w, "\nresults: %s\n", path)
	return err
}

// each is a value of each round.
func (r sparkRecord) each(value func(sparkRound) float64) []float64 {
	values := make([]float64, len(r.Rounds))
	for i, round := range r.Rounds {
		values[i] = value(round)
	}
	return values
}

func (r sparkRecord) median(value func(sparkRound) float64) float64 {
	return spreadOf(r.each(value)).Median
}

// partsText is the CPU time a row by process, in ms.
func (r sparkRecord) partsText() string {
	part := func(name string) float64 {
		return r.median(func(round sparkRound) float64 { return 1000 * round.Parts[name] / float64(round.Images) })
	}
	return fmt.Sprintf("%.2f + %.2f + %.2f", part("java"), part("python"), part("imgvec"))
}

// sparkSet is one run of `bench spark`.
type sparkSet struct {
	file    string // without its folder and ending
	records []sparkRecord
}

// contender is its record, or nil.
func (s sparkSet) contender(name string) *sparkRecord {
	for i := range s.records {
		if s.records[i].Contender == name {
			return &s.records[i]
		}
	}
	return nil
}

// find is the contender's record where it took part, else nil.
func (s sparkSet) find(name string) *sparkRecord {
	if r := s.contender(name); r != nil && len(r.Rounds) > 0 {
		return r
	}
	return nil
}

// othersText is how much of the machine's processors somebody else had, over all rounds: it tells a disturbed run.
func (s sparkSet) othersText() string {
	var shares []float64
	for _, r := range s.records {
		shares = append(shares, r.each(func(round sparkRound) float64 { return 100 * round.OthersShare })...)
	}
	if shares == nil {
		return "nothing"
	}
	all := spreadOf(shares)
	return fmt.Sprintf("%.1f %% (%.1f - %.1f)", all.Median, all.Min, all.Max)
}

// lines are what the run says: each a text and a value, the median of the rounds with the smallest and the largest.
func (s sparkSet) lines() [][2]string {
	var all [][2]string
	rate := func(r sparkRound) float64 { return r.rate() }
	whole := func(r sparkRound) float64 { return float64(r.Images) / r.WholeSeconds }
	ratio := func(text, a, b string, of func(sparkRound) float64) {
		if values := s.pairs(a, b, func(x, y sparkRound) float64 { return rate(x) / of(y) }); values != nil {
			v := spreadOf(values)
			all = append(all, [2]string{text, fmt.Sprintf("%sx (%s - %s)", factor(v.Median), factor(v.Min), factor(v.Max))})
		}
	}
	millis := func(text, a, b string, of func(x, y sparkRound) float64) {
		if values := s.pairs(a, b, of); values != nil {
			v := spreadOf(values)
			all = append(all, [2]string{text, fmt.Sprintf("%.2f ms (%.2f - %.2f)", v.Median, v.Min, v.Max)})
		}
	}
	more := func(x, y sparkRound) float64 { return x.cpuMillis() - y.cpuMillis() }
	outside := func(x, _ sparkRound) float64 { return x.outside() }
	ratio("rate: featurize / imgvec extract, loading not counted", sparkFeaturize, sparkExtract, rate)
	ratio("rate: featurize / imgvec extract, its start included", sparkFeaturize, sparkExtract, whole)
	ratio("rate: featurize to Parquet / imgvec extract, loading not counted", sparkParquet, sparkExtract, rate)
	ratio("rate: featurize / plain UDF with the model broadcast", sparkFeaturize, sparkArticle, rate)
	ratio("rate: featurize / predict_batch_udf", sparkFeaturize, sparkBatch, rate)
	millis("CPU a row: featurize over imgvec extract", sparkFeaturize, sparkExtract, more)
	millis("CPU a row: featurize to Parquet over imgvec extract", sparkParquet, sparkExtract, more)
	millis("CPU a row: featurize, in Spark's Java and Python alone", sparkFeaturize, sparkFeaturize, outside)
	millis("CPU a row: featurize to Parquet, in Spark's Java and Python alone", sparkParquet, sparkParquet, outside)
	millis("CPU a row: to Python, over reading alone", sparkPython, sparkRead, more)
	millis("CPU a row: 2,048 floats back, over to Python alone", sparkFloats, sparkPython, more)
	return append(all, s.bytes()...)
}

// pairs relates two contenders round by round, where both took part.
func (s sparkSet) pairs(a, b string, relate func(x, y sparkRound) float64) []float64 {
	x, y := s.find(a), s.find(b)
	if x == nil || y == nil || len(x.Rounds) != len(y.Rounds) {
		return nil
	}
	values := make([]float64, len(x.Rounds))
	for i := range values {
		values[i] = relate(x.Rounds[i], y.Rounds[i])
	}
	return values
}

// bytes are what a row moves.
func (s sparkSet) bytes() [][2]string {
	var all [][2]string
	add := func(text, contender string, value func(sparkRound) int64) {
		if r := s.find(contender); r != nil {
			all = append(all, [2]string{text, fmt.Sprintf("%.0f bytes", r.median(func(round sparkRound) float64 { return float64(value(round)) / float64(round.Images) }))})
		}
	}
	add("a row into the server", sparkFeaturize, func(r sparkRound) int64 { return r.ServerRead })
	add("a row out of the server", sparkFeaturize, func(r sparkRound) int64 { return r.ServerWritten })
	return all
}

// markdown is the run as a section of a document.
func (s sparkSet) markdown() string {
	first := s.records[0]
	var b strings.Builder
	fmt.Fprintf(&b, "### %s in Spark on %s, %d cores\n\n", first.Model, first.CPU, first.Cores)
	var versions []map[string]string
	rounds := 0
	for _, r := range s.records {
		versions, rounds = append(versions, r.Versions), max(rounds, len(r.Rounds))
	}
	fmt.Fprintf(&b, "%s, commit %s, `%s`, %d rounds. Others took %s of the processors while a contender ran. %s\n\n",
		first.Run.Format("2006-01-02"), first.Commit, first.Command, rounds, s.othersText(), versionText(versions))
	b.WriteString("| contender | | rows/s, median (min - max) | ms CPU a row | in Java + Python + imgvec |\n|---|---|---|---|---|\n")
	for _, r := range s.records {
		if r.Skipped != "" {
			fmt.Fprintf(&b, "| %s | %s | left out: %s | | |\n", r.Contender, r.What, r.Skipped)
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s (%s - %s) | %.2f | %s |\n", r.Contender, r.What,
			figure(r.Rate.Median), figure(r.Rate.Min), figure(r.Rate.Max), r.CPUMillis.Median, r.partsText())
	}
	b.WriteString("\n| within a round | median (min - max) |\n|---|---|\n")
	for _, line := range s.lines() {
		fmt.Fprintf(&b, "| %s | %s |\n", line[0], line[1])
	}
	b.WriteString("\n")
	return b.String()
}
