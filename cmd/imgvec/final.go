package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// final is the last line of --progress json: however the run ends, it says how.
type final struct {
	Images    int64   `json:"images"`                  // all that were done; where the status is "done", the total
	Before    int64   `json:"images_before,omitempty"` // of them, those of earlier runs that this one went on with
	Failed    int64   `json:"failed"`
	Total     int64   `json:"total,omitempty"` // absent: not known
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"images_per_second"` // of this run as a whole
	Output    string  `json:"output"`
	Status    string  `json:"status"` // "done", "interrupted", "failed"
	Error     string  `json:"error,omitempty"`
}

// finalLine prints it, once. A run that can't end in time after a signal has it printed by another goroutine.
func (x *extraction) finalLine(err error) {
	if x.flags.progress != "json" {
		return
	}
	x.told.Do(func() {
		t := x.tally
		f := final{Images: t.done.Load(), Before: t.before, Failed: t.failed.Load(), Total: t.total.Load(), Output: x.outputName(), Status: "done"}
		f.Seconds = time.Since(t.start).Seconds()
		f.PerSecond = float64(f.Images-f.Before) / max(f.Seconds, 1e-9)
		if _, stopped := x.stop.code(); err != nil && stopped {
			f.Status = "interrupted"
		} else if err != nil {
			f.Status, f.Error = "failed", plain(err.Error())
		} else {
			f.Total = f.Images
		}
		line, err := json.Marshal(f)
		if err != nil {
			panic("imgvec: BUG: " + err.Error())
		}
		fmt.Fprintf(x.stderr, "%s\n", line)
	})
}
