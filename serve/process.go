package serve

import (
	"os"
	"strconv"
	"strings"
)

// startField is the place of a process's start time among the fields of its /proc stat that follow its name.
const startField = 22 - 3

// process is this process's id and start time, 0 where there is no /proc. The two together name a process for good: an
// id alone is given to another one some day.
func process() (pid int, start uint64) {
	pid = os.Getpid()
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return pid, 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // the name may have spaces
	if len(fields) <= startField {
		return pid, 0
	}
	start, err = strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return pid, 0
	}
	return pid, start
}
