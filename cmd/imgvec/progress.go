package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows how far a run has come, until stop. Lines that others want to print meanwhile go through Write.
type progress interface {
	io.Writer
	stop()
}

// How often the run is shown where nothing is redrawn.
const (
	linesEvery = 10 * time.Second
	jsonEvery  = time.Second
)

func checkProgress(mode string) error {
	switch mode {
	case "auto", "json", "none":
		return nil
	}
	return usagef("--progress %q is unknown (auto, json, none)", mode)
}

func (a *app) progress(mode string, t *tally) progress {
	switch {
	case mode == "none":
		return silence{a.stderr}
	case mode == "json":
		return newTicking(a.stderr, t, jsonEvery, jsonLine)
	case a.onTerminal():
		return newBar(a.stderr, t)
	}
	return newTicking(a.stderr, t, linesEvery, textLine)
}

// onTerminal tells whether a person sees what is printed while it is printed.
func (a *app) onTerminal() bool { return isTerminal(a.stderr) && os.Getenv("TERM") != "dumb" }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

type silence struct{ io.Writer }

func (silence) stop() {}

// ticking prints a line at intervals.
type ticking struct {
	mu   sync.Mutex // of w
	w    io.Writer
	done chan struct{}
	wait sync.WaitGroup
}

func newTicking(w io.Writer, t *tally, every time.Duration, line func(*snapshot) string) *ticking {
	p := &ticking{w: w, done: make(chan struct{})}
	recent := newPace(t)
	p.wait.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fmt.Fprintln(p, line(recent.look()))
			case <-p.done:
				return
			}
		}
	})
	return p
}

func (p *ticking) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Write(text)
}

func (p *ticking) stop() {
	close(p.done)
	p.wait.Wait()
}

func textLine(s *snapshot) string {
	text := images(s.Images, "")
	if s.Total > 0 {
		text = fmt.Sprintf("%s of %s (%d%%)", count(s.Images), images(s.Total, ""), s.Images*100/s.Total)
	}
	text += fmt.Sprintf(", %s img/s", rate(s.PerSecond))
	if s.Failed > 0 {
		text += fmt.Sprintf(", %s failed", count(s.Failed))
	}
	if s.Left != nil {
		text += ", " + s.left() + " left"
	}
	return text
}

func jsonLine(s *snapshot) string {
	line, err := json.Marshal(s)
	if err != nil {
		panic("imgvec: BUG: " + err.Error())
	}
	return string(line)
}

// snapshot is a run at one moment, also as --progress json prints it.
type snapshot struct {
	Images    int64    `json:"images"`
	Failed    int64    `json:"failed"`
	Total     int64    `json:"total,omitempty"` // absent: not known
	Seconds   float64  `json:"seconds"`
	PerSecond float64  `json:"images_per_second"` // of the last seconds
	Left      *float64 `json:"seconds_left,omitempty"`
}

// left is the time that the rest will take, in whole seconds.
func (s *snapshot) left() string {
	return wholeSeconds(time.Duration(*s.Left * float64(time.Second)))
}

// pace measures the rate of the last seconds. A run's first images come late, because the batches fill up first, and
// its rate since the start would foretell too long a time.
type pace struct {
	t     *tally
	marks []mark
}

type mark struct {
	at   time.Time
	done int64
}

// paceWindow is how far back the rate is taken.
const paceWindow = 15 * time.Second

func newPace(t *tally) *pace { return &pace{t: t, marks: []mark{{t.start, t.before}}} }

func (p *pace) look() *snapshot {
	now := mark{time.Now(), p.t.done.Load()}
	s := &snapshot{Images: now.done, Failed: p.t.failed.Load(), Total: p.t.total.Load(), Seconds: now.at.Sub(p.t.start).Seconds()}
	first := p.marks[0]
	if span := now.at.Sub(first.at).Seconds(); span > 0 {
		s.PerSecond = float64(now.done-first.done) / span
	}
	if s.Total >= s.Images && s.PerSecond > 0 && s.Total > 0 {
		left := float64(s.Total-s.Images) / s.PerSecond
		s.Left = &left
	}
	p.note(now)
	return s
}

// note keeps a mark a second, and those of the window.
func (p *pace) note(now mark) {
	if last := p.marks[len(p.marks)-1]; now.at.Sub(last.at) >= time.Second && now.done > p.t.before {
		p.marks = append(p.marks, now)
	}
	for len(p.marks) > 1 && (now.at.Sub(p.marks[1].at) >= paceWindow || p.marks[0].done == p.t.before && len(p.marks) > 2) {
		p.marks = p.marks[1:]
	}
}
