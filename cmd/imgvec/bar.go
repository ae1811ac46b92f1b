package main

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bar is the progress of a terminal: one line that is redrawn, and gone when the run has ended.
type bar struct {
	*mpb.Progress
	bar  *mpb.Bar
	done chan struct{}
}

const barEvery = 200 * time.Millisecond

func newBar(w io.Writer, t *tally) *bar {
	b := &bar{Progress: mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(barEvery), mpb.WithAutoRefresh()), done: make(chan struct{})}
	recent := newPace(t)
	latest := recent.look()
	// The decorators run in order, in one goroutine, at every redraw: the first takes the snapshot.
	left := decor.Any(func(decor.Statistics) string {
		latest = recent.look()
		return barCount(latest)
	})
	right := decor.Any(func(decor.Statistics) string { return barRate(latest) })
	b.bar = b.New(0, mpb.BarStyle().Lbound(" [").Filler("=").Tip(">").Padding(" ").Rbound("] "),
		mpb.PrependDecorators(left), mpb.AppendDecorators(right), mpb.BarRemoveOnComplete())
	go b.follow(t)
	return b
}

// follow moves the bar. mpb takes a total of 0 for a bar without an end.
func (b *bar) follow(t *tally) {
	ticker := time.NewTicker(barEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			b.bar.SetTotal(t.total.Load(), false)
			b.bar.SetCurrent(t.done.Load())
		case <-b.done:
			return
		}
	}
}

func (b *bar) stop() {
	close(b.done)
	b.bar.Abort(true)
	b.Wait()
}

func barCount(s *snapshot) string {
	switch {
	case s.Total > 0 && s.Images > 0:
		return fmt.Sprintf("%s/%s %3d%%", count(s.Images), count(s.Total), s.Images*100/s.Total)
	case s.Images > 0:
		return images(s.Images, "")
	case s.Total > 0:
		return images(s.Total, "")
	}
	return "starting"
}

func barRate(s *snapshot) string {
	text := rate(s.PerSecond) + " img/s"
	if s.Failed > 0 {
		text += fmt.Sprintf("  %s failed", count(s.Failed))
	}
	if s.Left != nil {
		text += "  " + s.left() + " left"
	}
	return text
}
