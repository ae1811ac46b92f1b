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

// treeCPU is the CPU time in seconds that a process and its living and reaped children have used.
func treeCPU(pid int) (float64, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	parent, used := map[int]int{}, map[int]float64{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		p, pp, seconds, err := parseStat(string(text))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		parent[p], used[p] = pp, seconds
	}
	total := 0.0
	for p, seconds := range used {
		for q := p; q > 1; q = parent[q] {
			if q == pid {
				total += seconds
				break
			}
		}
	}
	return total, nil
}

// parseStat reads pid, parent and CPU seconds (its own and those of reaped children) from a line of /proc/PID/stat.
func parseStat(line string) (pid, parent int, seconds float64, err error) {
	// The name, in brackets, may itself hold brackets and spaces.
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < 0 {
		return 0, 0, 0, fmt.Errorf("no name in %q", line)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(line[:open])); err != nil {
		return 0, 0, 0, err
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 15 {
		return 0, 0, 0, fmt.Errorf("only %d fields in %q", len(fields), line)
	}
	if parent, err = strconv.Atoi(fields[1]); err != nil {
		return 0, 0, 0, err
	}
	total := int64(0)
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, 0, err
		}
		total += n
	}
	return pid, parent, float64(total) / ticks, nil
}
