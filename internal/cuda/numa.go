//go:build cuda && cgo && linux

package cuda

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sysfs is where Linux tells which node a PCI device hangs on.
const sysfs = "/sys"

// nodeOf is the NUMA node of a PCI device; -1 where the system has one node only or does not tell.
func nodeOf(sysfs, pci string) int {
	text, err := os.ReadFile(filepath.Join(sysfs, "bus/pci/devices", pci, "numa_node"))
	if err != nil {
		return -1
	}
	node, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || node < 0 {
		return -1
	}
	return node
}

// cpusOf lists a node's processors; none where the node is unknown or the system does not tell.
func cpusOf(sysfs string, node int) []int {
	if node < 0 {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(sysfs, "devices/system/node", fmt.Sprintf("node%d", node), "cpulist"))
	if err != nil {
		return nil
	}
	return parseCPUs(strings.TrimSpace(string(text)))
}

// parseCPUs reads "0-3,8,10-11"; none for what it can't read.
func parseCPUs(list string) []int {
	var cpus []int
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, errFrom := strconv.Atoi(first)
		to, errTo := strconv.Atoi(last)
		if errFrom != nil || errTo != nil || from < 0 || to < from || to-from > 1<<16 {
			return nil
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// bindThread keeps the calling OS thread on those of the processors that it may use now. It is a matter of speed, so a
// system that does not allow it is left as it is.
func bindThread(cpus []int) {
	var allowed, chosen unix.CPUSet
	if len(cpus) == 0 || unix.SchedGetaffinity(0, &allowed) != nil {
		return
	}
	for _, cpu := range cpus {
		if allowed.IsSet(cpu) {
			chosen.Set(cpu)
		}
	}
	if chosen.Count() > 0 {
		_ = unix.SchedSetaffinity(0, &chosen) // refused: the thread stays where it may be
	}
}
