package main

import (
	"fmt"
	"time"
)

// download shows how far a download is: on a terminal, as one line that is redrawn.
type download struct {
	app    *app
	shown  bool
	latest time.Time

	began time.Time // when the first bytes came, in this run
	first int64     // that were there then
}

func newDownload(a *app) *download { return &download{app: a} }

// at is told how many bytes have come; total is 0 where it is not known.
func (d *download) at(done, total int64) {
	if d.began.IsZero() || done < d.first {
		d.began, d.first = time.Now(), done
	}
	if !d.app.onTerminal() || done < total && time.Since(d.latest) < barEvery {
		return
	}
	d.latest, d.shown = time.Now(), true
	text := bytesText(done)
	if total > 0 {
		text = fmt.Sprintf("%3d%% of %s", done*100/total, bytesText(total))
	}
	text += d.pace(done, total)
	fmt.Fprintf(d.app.stderr, "\r\x1b[K%s", text)
}

// pace is how fast it goes, and for how long yet; nothing in the first second.
func (d *download) pace(done, total int64) string {
	seconds := time.Since(d.began).Seconds()
	perSecond := float64(done-d.first) / seconds
	if seconds < 1 || perSecond < 1 {
		return ""
	}
	text := fmt.Sprintf("  %s/s", bytesText(int64(perSecond)))
	if total > done {
		text += fmt.Sprintf("  %s left", wholeSeconds(time.Duration(float64(total-done)/perSecond*float64(time.Second))))
	}
	return text
}

// end leaves the line free for others.
func (d *download) end() {
	if d.shown {
		d.shown = false
		fmt.Fprint(d.app.stderr, "\r\x1b[K")
	}
}
