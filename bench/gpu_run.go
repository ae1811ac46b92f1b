package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/model"
)

// gpuRun is one run of `bench gpu`, as it is kept.
type gpuRun struct {
	Kind      string            `json:"kind"` // "gpu-run"
	Run       time.Time         `json:"run"`
	Simulated bool              `json:"simulated"`
	Commit    string            `json:"commit"`
	Command   string            `json:"command"`
	CPU       string            `json:"cpu"`
	Cores     int               `json:"cores"`
	GPU       gpu.Device        `json:"gpu"`
	Driver    string            `json:"driver"`
	Model     string            `json:"model"`
	Work      work              `json:"work"`
	Turn      float64           `json:"turn_seconds"`
	Rounds    int               `json:"rounds"`
	Clocks    []clocks          `json:"clocks"`
	Skipped   map[string]string `json:"skipped,omitempty"` // contenders and cases that were left out, and why

	options gpuOptions
	cases   []*gpuCase

	progress io.Writer
}

// work is what one image asks of each step: bytes of copies and of memory traffic, and arithmetic.
type work struct {
	H2D       float64 `json:"h2d_bytes"`
	Normalize float64 `json:"normalize_bytes"` // read and written
	D2H       float64 `json:"d2h_bytes"`
	Flop      float64 `json:"flop"` // of the network; 0: unknown
}

// flops of an image at 224x224, a multiplication and an addition being two.
var flops = map[string]float64{"resnet50": 8.18e9, "efficientnet-lite0": 0.814e9}

func workOf(m *model.Model) work {
	pixels := float64(m.Spec.ImageLen())
	return work{H2D: pixels, Normalize: pixels + 2*pixels, D2H: 4 * float64(m.Spec.Dim), Flop: flops[m.Manifest.Arch]}
}

func newGPURun(o gpuOptions, machine gpu.Report, m *model.Model) *gpuRun {
	r := &gpuRun{
		Kind: "gpu-run", Run: time.Now().UTC(), Simulated: machine.Simulated, Commit: commit(), Command: strings.Join(slices.Concat([]string{"bench"}, os.Args[1:]), " "),
		CPU: cpuName(), Cores: runtime.NumCPU(), Driver: machine.Driver, Model: o.model, Work: workOf(m),
		Turn: o.turn.Seconds(), Rounds: o.rounds, Skipped: map[string]string{}, options: o, progress: os.Stderr,
	}
	for _, d := range machine.Devices {
		if d.Name == o.device {
			r.GPU = d
		}
	}
	r.GPU.UUID = "" // says nothing to a reader
	if v := driverVersion(); v != "" && !r.Simulated {
		r.Driver = v + ", " + r.Driver
	}
	return r
}

// measure starts the contenders, makes every case ready and runs the rounds. What fails is left out, and the rest goes on.
func (r *gpuRun) measure(ctx context.Context, peers []*gpuPeer) {
	for _, p := range peers {
		defer p.stop()
		r.say("starting %s", p.name)
		if err := p.start(ctx); err != nil {
			r.skip(p.name, err.Error())
			continue
		}
		for _, c := range p.cases(r.options) {
			if c.prepare(r.Turn); c.Skipped != "" {
				r.skip(c.title(), c.Skipped)
				continue
			}
			r.say("ready    %s", c.title())
			r.cases = append(r.cases, c)
		}
	}
	r.order()
	r.look("before the first round")
	for round := range r.Rounds {
		for _, c := range r.cases {
			if c.Skipped != "" || ctx.Err() != nil {
				continue
			}
			if c.round(r.Turn); c.Skipped != "" {
				r.skip(c.title(), c.Skipped)
				continue
			}
			last := c.Rounds[len(c.Rounds)-1]
			r.say("round %d  %-40s %10s %s", round+1, c.title(), figure(last.rate()), last.unit())
		}
		r.look(fmt.Sprintf("after round %d", round+1))
	}
}

func (r *gpuRun) skip(name, reason string) {
	r.Skipped[name] = reason
	r.say("%s is left out: %s", name, reason)
}

// say tells how it goes.
func (r *gpuRun) say(format string, args ...any) {
	fmt.Fprintf(r.progress, mark(r.Simulated)+format+"\n", args...)
}

// order puts what is compared side by side: cases of one scenario and size of batch follow each other.
func (r *gpuRun) order() {
	slices.SortStableFunc(r.cases, func(a, b *gpuCase) int {
		return cmp.Or(cmp.Compare(b.Batch, a.Batch), cmp.Compare(a.Scenario, b.Scenario))
	})
}

func (r *gpuRun) look(when string) {
	if r.Simulated {
		return
	}
	if c, err := readClocks(r.GPU.PCI); err == nil {
		c.When = when
		r.Clocks = append(r.Clocks, c)
	}
}

func (c *gpuCase) title() string {
	if c.Batch == 0 {
		return c.name() + " " + c.Scenario
	}
	return fmt.Sprintf("%s %s b%d", c.name(), c.Scenario, c.Batch)
}

// finish prints the table and keeps the results. imgvec's own failure is an error, also where peers went on.
func (r *gpuRun) finish(w io.Writer) error {
	r.table(w)
	if r.Simulated && r.options.results != "" {
		fmt.Fprintln(w, mark(true)+"nothing is written to "+r.options.results)
		r.options.results = ""
	}
	if err := r.save(w); err != nil {
		return err
	}
	for name, reason := range r.Skipped {
		if strings.HasPrefix(name, imgvecAuto) {
			return fmt.Errorf("%s: %s", name, reason)
		}
	}
	if len(r.cases) == 0 {
		return errors.New("no contender could be measured")
	}
	return nil
}
