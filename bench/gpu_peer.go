package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// gpuPeer is the process of a GPU contender.
type gpuPeer struct {
	*contender
	scenarios []string
	batches   []int         // of the swept scenarios; nil: the harness's
	patience  time.Duration // with one answer; compiling takes minutes
	once      map[string]float64
	dryRun    bool
	cancel    context.CancelFunc
}

// start starts the process; an error says why it does not take part.
func (p *gpuPeer) start(ctx context.Context) error {
	ctx, p.cancel = context.WithCancel(ctx)
	if err := p.launch(ctx); err != nil {
		return err
	}
	a, err := p.answer()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ended before it was ready")
	}
	if err != nil {
		return err
	}
	p.versions, p.once, p.dryRun = a.Versions, a.Once, a.DryRun
	return nil
}

// ask sends a request and waits for the answer.
func (p *gpuPeer) ask(r request) (answer, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return answer{}, fmt.Errorf("it has ended: %w", err)
	}
	return p.answer()
}

// answer takes the next answer. A contender that has none within its patience is ended.
func (p *gpuPeer) answer() (answer, error) {
	var a answer
	late := time.AfterFunc(p.patience, p.cancel)
	err := p.read(&a)
	if !late.Stop() && err != nil {
		return a, fmt.Errorf("no answer in %v", p.patience)
	}
	if err == nil && a.Skip != "" {
		err = errors.New(a.Skip)
	}
	return a, err
}

// stop ends the process, which may take a while to free its device.
func (p *gpuPeer) stop() {
	if p.cancel != nil {
		defer p.cancel()
		defer time.AfterFunc(20*time.Second, p.cancel).Stop()
	}
	p.contender.stop()
}

// cases are what the contender is measured in.
func (p *gpuPeer) cases(o gpuOptions) []*gpuCase {
	var all []*gpuCase
	for _, s := range p.scenarios {
		if !o.wants(s) {
			continue
		}
		if !swept(s) {
			all = append(all, &gpuCase{peer: p, Scenario: s})
			continue
		}
		batches := p.batches
		if batches == nil {
			batches = o.batches
		}
		for _, b := range batches {
			all = append(all, &gpuCase{peer: p, Scenario: s, Batch: b})
		}
	}
	return all
}

// prepare makes the case ready; where that fails, it is left out and says why.
func (c *gpuCase) prepare(seconds float64) {
	a, err := c.peer.ask(request{Do: "prepare", Scenario: c.Scenario, Batch: c.Batch, Seconds: seconds})
	if err != nil {
		c.Skipped = err.Error()
		return
	}
	c.Once, c.About = a.Once, a.About
}

// round measures the case once; where that fails, it is left out from now on.
func (c *gpuCase) round(seconds float64) {
	a, err := c.peer.ask(request{Do: "go", Scenario: c.Scenario, Batch: c.Batch, Seconds: seconds})
	if err == nil && (a.Seconds <= 0 || a.Images <= 0 && a.Bytes <= 0 && a.Flop <= 0) {
		err = fmt.Errorf("it answered that it did nothing: %+v", a)
	}
	if err != nil {
		c.Skipped = err.Error()
		return
	}
	c.Rounds = append(c.Rounds, a)
}
