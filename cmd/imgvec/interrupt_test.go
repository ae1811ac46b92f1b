package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/dataset"
)

// slowOutput is an output whose disk does not come to an end.
type slowOutput struct {
	dataset.Writer
	whole     bool
	hangs     chan struct{}
	discarded bool
}

func (o *slowOutput) Discard() bool {
	if o.hangs != nil {
		<-o.hangs
	}
	o.discarded = true
	return o.whole
}

// TestLastWordsAreTrue: what is said of an output that a run could not wait for.
func TestLastWordsAreTrue(t *testing.T) {
	for whole, want := range map[bool]string{true: "x.npy is written, and whole", false: "x.npy was not written"} {
		out := &slowOutput{whole: whole}
		x := &extraction{flags: &extractFlags{output: "x.npy"}, out: out, tally: newTally()}
		i := &interrupt{}
		i.report(x.far)
		var stderr bytes.Buffer
		i.giveUp(&stderr)
		if !strings.Contains(stderr.String(), "after 0 images") || !strings.Contains(stderr.String(), want) || !out.discarded {
			t.Errorf("whole %v: discarded %v, %s", whole, out.discarded, stderr.String())
		}
	}
}

// TestLastWordsDoNotWait: a disk that does not even answer whether the output has its name.
func TestLastWordsDoNotWait(t *testing.T) {
	out := &slowOutput{hangs: make(chan struct{})}
	defer close(out.hangs)
	i := &interrupt{}
	i.report(func() string { return fate(out, "x.npy") })
	var stderr bytes.Buffer
	i.giveUp(&stderr)
	if text := stderr.String(); !strings.Contains(text, "interrupted") || strings.Contains(text, "written") {
		t.Error(text)
	}
}
