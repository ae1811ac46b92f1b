package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ownerEvery is how often the owner is looked at.
const ownerEvery = 500 * time.Millisecond

// owner is a process whose death ends the server: the one on whose behalf it runs. A process id alone does not name a
// process, since ids are given anew; with the start time it does.
type owner struct {
	pid   int
	start uint64 // in the system's own unit; 0: not known
}

// Set reads the flag: PID or PID:START.
func (o *owner) Set(text string) error {
	pid, start, timed := strings.Cut(text, ":")
	var read owner
	var err error
	if read.pid, err = strconv.Atoi(pid); err != nil || read.pid <= 0 {
		return fmt.Errorf("%q is no process: give PID or PID:START, START being field 22 of /proc/PID/stat", text)
	}
	if timed {
		if read.start, err = strconv.ParseUint(start, 10, 64); err != nil || read.start == 0 {
			return fmt.Errorf("%q has no start time: give PID:START, START being field 22 of /proc/PID/stat", text)
		}
	}
	*o = read
	return nil
}

// String is the form that Set reads; empty where there is no owner.
func (o *owner) String() string {
	switch {
	case o.pid == 0:
		return ""
	case o.start == 0:
		return strconv.Itoa(o.pid)
	}
	return fmt.Sprintf("%d:%d", o.pid, o.start)
}

// Type is the flag's kind, for --help.
func (o *owner) Type() string { return "pid[:start]" }

// pin notes the start time of an owner that was given without.
func (o *owner) pin() {
	if o.pid != 0 && o.start == 0 {
		o.start = startTime(o.pid)
	}
}

// watch waits until the owner is dead and says how that shows; "" where ctx was done first.
func (o owner) watch(ctx context.Context) string {
	ticker := time.NewTicker(ownerEvery)
	defer ticker.Stop()
	for {
		if why := o.dead(); why != "" {
			return why
		}
		select {
		case <-ctx.Done():
			return ""
		case <-ticker.C:
		}
	}
}
