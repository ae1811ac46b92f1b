package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// dead says how it shows that the owner is dead; "" while it lives. A zombie is dead: where nobody waits for it, as in a
// container without an init, it stays for ever, and signals reach it. But one that has other threads lives: only its first
// thread has ended. What can't be read is not taken for a death.
func (o owner) dead() string {
	state, start, err := processStat(o.pid)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return fmt.Sprintf("process %d is gone", o.pid)
	case err != nil:
		return ""
	case (state == 'Z' || state == 'X' || state == 'x') && threads(o.pid) <= 1:
		return fmt.Sprintf("process %d is dead (a zombie)", o.pid)
	case o.start != 0 && start != o.start:
		return fmt.Sprintf("process %d is another by now (start time %d, not %d)", o.pid, start, o.start)
	}
	return ""
}

// startTime is when a process was started, in clock ticks since the machine was; 0 where there is none.
func startTime(pid int) uint64 {
	_, start, err := processStat(pid)
	if err != nil {
		return 0
	}
	return start
}

func threads(pid int) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0
	}
	return len(entries)
}

func processStat(pid int) (state byte, start uint64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(text)
}

// parseStat reads fields 3 and 22 of /proc/PID/stat. Field 2 is the program's name in parentheses, which may itself hold
// spaces and parentheses: the last one ends it.
func parseStat(text []byte) (state byte, start uint64, err error) {
	const stateField, startField = 0, 19 // after the name
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= startField {
		return 0, 0, fmt.Errorf("%q is no state of a process", text)
	}
	start, err = strconv.ParseUint(string(fields[startField]), 10, 64)
	return fields[stateField][0], start, err
}
