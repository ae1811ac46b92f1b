package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// results is what the files of results hold: runs on a CPU, each the records of one run, runs on a GPU, and runs in Spark.
type results struct {
	cpu   []cpuSet
	gpu   []gpuSet
	spark []sparkSet
}

// cpuSet is one run of `bench`.
type cpuSet struct {
	file    string // without its folder and ending
	records []record
}

// render is `bench render`: it writes every result into the document, between the document's markers, and the plots beside
// the results.
func render(args []string) error {
	f := flag.NewFlagSet("bench render", flag.ContinueOnError)
	dir := f.String("results", "results", "folder of the results")
	doc := f.String("doc", "../docs/performance.md", "the document")
	if err := f.Parse(args); err != nil {
		return err
	}
	all, err := readResults(*dir)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(*doc)
	if err != nil {
		return err
	}
	link, err := linkTo(*dir, *doc)
	if err != nil {
		return err
	}
	plots := map[string]string{}
	var cpu, gpu, spark strings.Builder
	for _, s := range all.cpu {
		cpu.WriteString(s.markdown(link, plots))
	}
	for _, s := range all.gpu {
		gpu.WriteString(s.markdown(link, plots))
	}
	for _, s := range all.spark {
		spark.WriteString(s.markdown())
	}
	if len(all.spark) == 0 {
		spark.WriteString("Nothing has been measured in Spark yet: there are no figures.\n\n")
	}
	if len(all.gpu) == 0 {
		gpu.WriteString("Nothing has been measured on a GPU yet: there are no figures.\n\n")
	}
	for name, section := range map[string]string{"cpu": cpu.String(), "gpu": gpu.String(), "spark": spark.String()} {
		if text, err = replaceBetween(text, name, section); err != nil {
			return fmt.Errorf("%s: %w", *doc, err)
		}
	}
	for name, svg := range plots {
		if err := os.WriteFile(filepath.Join(*dir, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(*doc, text, 0o644)
}

// linkTo is the path from the document to the folder, as a link has it.
func linkTo(dir, doc string) (string, error) {
	dir, dirErr := filepath.Abs(dir)
	doc, docErr := filepath.Abs(doc)
	if err := errors.Join(dirErr, docErr); err != nil {
		return "", err
	}
	link, err := filepath.Rel(filepath.Dir(doc), dir)
	return filepath.ToSlash(link), err
}

// plotName is free in plots: a model may have been measured twice on one day.
func plotName(plots map[string]string, parts ...string) string {
	name := strings.Join(parts, "-")
	for i := 2; plots[name+".svg"] != ""; i++ {
		name = fmt.Sprintf("%s-%d", strings.Join(parts, "-"), i)
	}
	return name + ".svg"
}

// replaceBetween puts the section between the lines <!-- bench:NAME --> and <!-- bench:NAME end -->.
func replaceBetween(text []byte, name, section string) ([]byte, error) {
	begin, end := []byte("<!-- bench:"+name+" -->\n"), []byte("<!-- bench:"+name+" end -->\n")
	i := bytes.Index(text, begin)
	j := bytes.Index(text, end)
	if i < 0 || j < i || bytes.Count(text, begin) != 1 || bytes.Count(text, end) != 1 {
		return nil, fmt.Errorf("it needs one line %q and one %q after it", bytes.TrimSpace(begin), bytes.TrimSpace(end))
	}
	return slices.Concat(text[:i+len(begin)], []byte(section), text[j:]), nil
}

// readResults reads all files of results, the newest first.
func readResults(dir string) (results, error) {
	var all results
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return all, err
	}
	slices.Sort(files)
	slices.Reverse(files)
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return all, err
		}
		name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 16<<20)
		for n := 1; lines.Scan() && err == nil; n++ {
			if err = all.add(name, lines.Bytes()); err != nil {
				err = fmt.Errorf("%s, line %d: %w", path, n, err)
			}
		}
		if err := errors.Join(err, lines.Err(), f.Close()); err != nil {
			return all, err
		}
	}
	return all, nil
}

// add takes a line. What was not measured on real hardware is refused: it must never come into a document.
func (all *results) add(file string, line []byte) error {
	var kind struct {
		Kind      string
		Simulated bool
		DryRun    bool `json:"dry_run"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return err
	}
	if kind.Simulated || kind.DryRun {
		return errors.New("it is of a simulated or dry run, which has no figures: remove it")
	}
	switch kind.Kind {
	case "gpu-run":
		s := gpuSet{file: file}
		all.gpu = append(all.gpu, s)
		return json.Unmarshal(line, &all.gpu[len(all.gpu)-1].gpuRun)
	case "gpu-case":
		if len(all.gpu) == 0 {
			return errors.New("a case without its run")
		}
		last := &all.gpu[len(all.gpu)-1]
		var c gpuRecord
		if err := json.Unmarshal(line, &c); err != nil {
			return err
		}
		last.cases = append(last.cases, c)
		return nil
	case "spark":
		return all.addSpark(file, line)
	}
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	all.addCPU(file, r)
	return nil
}

// addCPU puts the record to its run: records of one run follow each other, and no contender is in a run twice.
func (all *results) addCPU(file string, r record) {
	if n := len(all.cpu); n > 0 {
		last := &all.cpu[n-1]
		first := last.records[0]
		same := last.file == file && first.Model == r.Model && first.Commit == r.Commit && first.Run.Equal(r.Run)
		if same && !slices.ContainsFunc(last.records, func(o record) bool { return o.Contender == r.Contender }) {
			last.records = append(last.records, r)
			return
		}
	}
	all.cpu = append(all.cpu, cpuSet{file, []record{r}})
}

// addSpark puts a contender's line to its run: lines of one run follow each other.
func (all *results) addSpark(file string, line []byte) error {
	var r sparkRecord
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	if n := len(all.spark); n > 0 {
		last := &all.spark[n-1]
		if first := last.records[0]; last.file == file && first.Run.Equal(r.Run) && last.contender(r.Contender) == nil {
			last.records = append(last.records, r)
			return nil
		}
	}
	all.spark = append(all.spark, sparkSet{file, []sparkRecord{r}})
	return nil
}
