//go:build cuda && cgo && linux

package cuda

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	slotLine   = regexp.MustCompile(`(?m)^(?:X|SLOT)\((cu\w+)[,)]`)
	calledByCu = regexp.MustCompile(`\bC\.(cu[A-Z]\w*)\(`)
	calledInC  = regexp.MustCompile(`\b(cu[A-Z]\w*) ?\(`)
	version    = regexp.MustCompile(`_v\d+$`)
)

// TestEveryCallHasASlot compares the slots with the functions that gorgonia.org/cu and this package call. A call without
// one would bind to a libcuda that is linked, or to nothing.
func TestEveryCallHasASlot(t *testing.T) {
	slots := map[string]bool{}
	for _, name := range []string{"trampoline.c", "symbols.inc", "symbols_own.inc"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range slotLine.FindAllStringSubmatch(string(text), -1) {
			if slots[m[1]] {
				t.Errorf("%s has two slots", m[1])
			}
			slots[m[1]] = true
			slots[version.ReplaceAllString(m[1], "")+" of any version"] = true
		}
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "gorgonia.org/cu").Output()
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("sources of gorgonia.org/cu: %v, %v", sources, err)
	}
	own := []string{"cuAllocAndCopy", "cuDeviceGetAttributes", "cuLaunchAndSync"} // C functions of gorgonia.org/cu itself
	calls := 0
	for _, name := range namesIn(t, sources, calledByCu) {
		if calls++; !slots[name+" of any version"] && !slices.Contains(own, name) {
			t.Errorf("gorgonia.org/cu calls %s, which has no slot: run gen-symbols.sh", name)
		}
	}
	if calls < 100 {
		t.Errorf("only %d calls found", calls)
	}
	for _, name := range namesIn(t, []string{"driver.h"}, calledInC) {
		if !slots[name] {
			t.Errorf("driver.h declares %s, which has no slot", name)
		}
	}
}

func namesIn(t *testing.T, files []string, call *regexp.Regexp) []string {
	t.Helper()
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
