//go:build !(cuda && cgo && linux)

package main

import (
	"strings"
	"testing"
)

// TestSetupForGPUsNeedsSupport: the 1.2 GB would be of no use, so nothing at all is fetched.
func TestSetupForGPUsNeedsSupport(t *testing.T) {
	home := t.TempDir()
	o := call{args: []string{"setup", "--gpu", "--home", home}}.run(t)
	o.want(t, exitFailed, "without GPU support", "-tags cuda", "docs/gpu-go.md")
	if files := left(t, home); len(files) > 0 || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("%v was written; %s", files, o.stderr)
	}
	if o = command(t, "version"); !strings.Contains(o.stdout, "GPU support: no") {
		t.Errorf("%s", o.stdout)
	}
}
