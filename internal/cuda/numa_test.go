//go:build cuda && cgo && linux

package cuda

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNUMANode(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("bus/pci/devices/0000:3b:00.0/numa_node", "1\n")
	write("bus/pci/devices/0000:3c:00.0/numa_node", "-1\n")
	write("bus/pci/devices/0000:3d:00.0/numa_node", "what\n")
	write("devices/system/node/node1/cpulist", "24-26,72\n")
	for pci, want := range map[string]int{"0000:3b:00.0": 1, "0000:3c:00.0": -1, "0000:3d:00.0": -1, "0000:3e:00.0": -1} {
		if got := nodeOf(root, pci); got != want {
			t.Errorf("node of %s: %d, want %d", pci, got, want)
		}
	}
	for node, want := range map[int][]int{1: {24, 25, 26, 72}, 2: nil, -1: nil} {
		if got := cpusOf(root, node); !slices.Equal(got, want) {
			t.Errorf("processors of node %d: %v, want %v", node, got, want)
		}
	}
	for _, list := range []string{"", "a", "3-1", "-1", "1-", "0-999999999"} {
		if got := parseCPUs(list); got != nil {
			t.Errorf("processors of %q: %v", list, got)
		}
	}
}

func TestBindThreadStaysWithinWhatIsAllowed(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		var before, after unix.CPUSet
		if err := unix.SchedGetaffinity(0, &before); err != nil {
			t.Error(err)
			return
		}
		bindThread([]int{1023})
		bindThread(nil)
		if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
			t.Errorf("processors that are not there: %v, %v", after, err)
		}
		first := 0
		for !before.IsSet(first) {
			first++
		}
		bindThread([]int{first, 1023})
		if err := unix.SchedGetaffinity(0, &after); err != nil || after.Count() != 1 || !after.IsSet(first) {
			t.Errorf("bound to %d: %v, %v", first, after, err)
		}
	}()
	<-done
}
