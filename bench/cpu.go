package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticks is the unit of /proc's times: USER_HZ, 100 on every Linux.
const ticks = 100

// procStat is what the bench reads of a process from /proc/PID/stat.
type procStat struct {
	name                 string
	pid, parent, session int
	seconds              float64 // CPU time of its own and of the children that it has waited for
}

// processes are those of the machine now.
func processes() ([]procStat, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	all := make([]procStat, 0, len(paths))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		p, err := parseStat(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// treeCPU is the CPU time in seconds that a process and its living and reaped children have used.
func treeCPU(pid int) (float64, error) {
	all, err := processes()
	if err != nil {
		return 0, err
	}
	parent := map[int]int{}
	for _, p := range all {
		parent[p.pid] = p.parent
	}
	total := 0.0
	for _, p := range all {
		for q := p.pid; q > 1; q = parent[q] {
			if q == pid {
				total += p.seconds
				break
			}
		}
	}
	return total, nil
}

// sessionCPU is the CPU time in seconds of all processes of a session and of the children that they have waited for, by name
// of the process. A process whose parent has ended is no longer in its tree, but in its session.
func sessionCPU(session int) (map[string]float64, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	used := map[string]float64{}
	for _, p := range all {
		if p.session == session {
			used[p.name] += p.seconds
		}
	}
	return used, nil
}

// parseStat reads a line of /proc/PID/stat.
func parseStat(line string) (procStat, error) {
	var p procStat
	// The name, in brackets, may itself hold brackets and spaces.
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < 0 {
		return p, fmt.Errorf("no name in %q", line)
	}
	p.name = line[open+1 : end]
	fields := strings.Fields(line[end+1:])
	if len(fields) < 15 {
		return p, fmt.Errorf("only %d fields in %q", len(fields), line)
	}
	var numbers [7]int
	for i, field := range append([]string{strings.TrimSpace(line[:open]), fields[1], fields[3]}, fields[11:15]...) {
		n, err := strconv.Atoi(field)
		if err != nil {
			return p, err
		}
		numbers[i] = n
	}
	p.pid, p.parent, p.session = numbers[0], numbers[1], numbers[2]
	for _, n := range numbers[3:] { // utime, stime, cutime, cstime
		p.seconds += float64(n) / ticks
	}
	return p, nil
}

// busyCPU is what the machine's processors have done since it started, in CPU seconds: all that was no idling, and of that what other
// machines on the same hardware took.
func busyCPU() (busy, stolen float64, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, 0, fmt.Errorf("/proc/stat: only %d fields in %q", len(fields), line)
	}
	for i, field := range fields[1:9] { // user, nice, system, idle, iowait, irq, softirq, steal
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, 0, err
		}
		if i == 7 {
			stolen = n / ticks
		}
		if i != 3 && i != 4 {
			busy += n / ticks
		}
	}
	return busy, stolen, nil
}
