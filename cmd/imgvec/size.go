package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// size is a flag that counts bytes: 67108864, 64MiB, 64M, 64MB (powers of 1000), 1GiB.
type size int64

var sizeUnits = []struct {
	suffix string
	factor int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"b", 1},
}

// Set reads the flag.
func (s *size) Set(text string) error {
	number, factor := strings.ToLower(strings.ReplaceAll(text, " ", "")), int64(1)
	for _, unit := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, unit.suffix); ok {
			number, factor = rest, unit.factor
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || v <= 0 || v*float64(factor) > math.MaxInt64/2 || v*float64(factor) < 1 {
		return fmt.Errorf("%q is no size (67108864, 64MiB, 1GiB)", text)
	}
	*s = size(v * float64(factor))
	return nil
}

// String is the form that Set reads.
func (s *size) String() string {
	for _, unit := range []struct {
		name   string
		factor size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if *s >= unit.factor && *s%unit.factor == 0 {
			return strconv.FormatInt(int64(*s/unit.factor), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type is the flag's kind, for --help.
func (s *size) Type() string { return "size" }

// whole is a flag that is a whole number in a range.
type whole struct {
	value    *int
	min, max int
}

// Set reads the flag.
func (w whole) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < w.min || v > w.max {
		return fmt.Errorf("%q is no whole number from %d to %d", text, w.min, w.max)
	}
	*w.value = v
	return nil
}

// String is the form that Set reads; empty at 0 and below, which stand for a default that depends on the machine.
func (w whole) String() string {
	if w.value == nil || *w.value <= 0 {
		return ""
	}
	return strconv.Itoa(*w.value)
}

// Type is the flag's kind, for --help.
func (w whole) Type() string { return "n" }

// period is a flag that is a time: 30s, 2m, 1m30s.
type period struct{ value *time.Duration }

// Set reads the flag.
func (p period) Set(text string) error {
	v, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no time, such as 30s or 2m", text)
	}
	*p.value = v
	return nil
}

// String is the form that Set reads; empty at 0, which stands for a default.
func (p period) String() string {
	if p.value == nil || *p.value == 0 {
		return ""
	}
	return p.value.String()
}

// Type is the flag's kind, for --help.
func (p period) Type() string { return "time" }
