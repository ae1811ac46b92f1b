//go:build imgvec_faults

package serve

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func opened(data string) func() (io.ReadCloser, error) {
	return withFaults(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(data)), nil })
}

// TestFaults runs this test's binary again, which dies of the mark in FAULT.
func TestFaults(t *testing.T) {
	if mark := os.Getenv("FAULT"); mark != "" {
		func() {
			defer func() { _ = recover() }() // as the executor's worker does
			_, _ = opened("picture " + mark + " more")()
		}()
		return
	}
	for mark, want := range map[string]string{"IMGVEC-FAULT-CRASH": "SIGSEGV", "IMGVEC-FAULT-EXIT:37": "exit status 37"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFaults$")
		cmd.Env = append(os.Environ(), "FAULT="+mark)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out)+err.Error(), want) {
			t.Errorf("%s: %v\n%s", mark, err, out)
		}
	}
	rc, err := opened("IMGVEC-FAULT-SLEEP:5")()
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(rc); err != nil || !bytes.Equal(data, []byte("IMGVEC-FAULT-SLEEP:5")) {
		t.Errorf("%q, %v", data, err)
	}
}
