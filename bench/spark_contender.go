package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// sparkContender is a contender of `bench spark`: a session of processes, told to get warm before each round.
type sparkContender struct {
	*contender
	rounds []sparkRound
}

// sparkRound is one round.
type sparkRound struct {
	result
	WholeSeconds float64            `json:"whole_seconds,omitzero"` // with what Seconds leaves out: the command's start
	Parts        map[string]float64 `json:"cpu_parts"`              // CPUSeconds by process: java, python, imgvec

	// What the server of the session read and wrote, all of it rows but for the lines of a connection's start and end.
	ServerRead    int64 `json:"server_read_bytes,omitzero"`
	ServerWritten int64 `json:"server_written_bytes,omitzero"`
	Servers       int   `json:"servers,omitzero"`

	Load        float64 `json:"load"`         // the machine's load average before the round
	OthersShare float64 `json:"others_share"` // of the processors' time: what neither idled nor was this contender's
	StolenShare float64 `json:"stolen_share"` // the part of it that other machines on the same hardware took
}

// begin starts the contender. A peer that can't start is left out, and the report says why.
func (c *sparkContender) begin(ctx context.Context) error {
	fmt.Fprintf(os.Stderr, "starting %s\n", c.name)
	err := c.start(ctx)
	if err == nil {
		return nil
	}
	if !c.peer || ctx.Err() != nil {
		return fmt.Errorf("%s: %w (%s says more)", c.name, err, c.log)
	}
	c.skipped = err.Error()
	fmt.Fprintf(os.Stderr, "%s is left out: %v\n", c.name, err)
	return nil
}

// round warms the contender, and measures it from one reading of /proc to the next.
func (c *sparkContender) round() (sparkRound, error) {
	var r sparkRound
	var warm struct{ OK bool }
	if err := c.order("warm", &warm); err != nil || !warm.OK {
		return r, errors.Join(err, errors.New("it does not get warm"))
	}
	load, err := loadAverage()
	if err != nil {
		return r, err
	}
	before, err := readMeter(c.cmd.Process.Pid)
	if err != nil {
		return r, err
	}
	if err := c.order("go", &r); err != nil {
		return r, err
	}
	after, err := readMeter(c.cmd.Process.Pid)
	if err != nil {
		return r, err
	}
	r.Load = load
	r.count(before, after)
	c.rounds = append(c.rounds, r)
	c.contender.rounds = append(c.contender.rounds, r.result)
	return r, nil
}

// keep drops all but the first n rounds.
func (c *sparkContender) keep(n int) {
	c.rounds, c.contender.rounds = c.rounds[:min(n, len(c.rounds))], c.contender.rounds[:min(n, len(c.contender.rounds))]
}

func (c *sparkContender) order(word string, answer any) error {
	if _, err := io.WriteString(c.in, word+"\n"); err != nil {
		return err
	}
	return c.read(answer)
}

// meter is what the processors have done up to now.
type meter struct {
	parts        map[string]float64 // CPU seconds of the session
	busy, stolen float64            // of the machine
	at           time.Time
}

func readMeter(session int) (meter, error) {
	used, err := sessionCPU(session)
	if err != nil {
		return meter{}, err
	}
	m := meter{parts: map[string]float64{}, at: time.Now()}
	for name, seconds := range used {
		m.parts[part(name)] += seconds
	}
	m.busy, m.stolen, err = busyCPU()
	return m, err
}

// part is what a process is to the report: Python's have several names.
func part(process string) string {
	if process == "java" || process == "imgvec" {
		return process
	}
	return "python"
}

// count settles the round's CPU time, unless its answer had it: the command's start is not counted.
func (r *sparkRound) count(before, after meter) {
	own := 0.0
	parts := map[string]float64{}
	for name, seconds := range after.parts {
		parts[name] = seconds - before.parts[name]
		own += parts[name]
	}
	capacity := after.at.Sub(before.at).Seconds() * float64(cores())
	r.OthersShare = max(0, after.busy-before.busy-own) / capacity
	r.StolenShare = (after.stolen - before.stolen) / capacity
	if r.CPUSeconds == 0 {
		r.CPUSeconds, r.Parts = own, parts
	} else {
		r.Parts = map[string]float64{"imgvec": r.CPUSeconds}
	}
}

// outside is the CPU time a row in Spark's Java and in its Python workers, in ms.
func (r sparkRound) outside() float64 {
	return 1000 * (r.Parts["java"] + r.Parts["python"]) / float64(r.Images)
}

func loadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}
