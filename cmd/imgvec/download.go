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
}

func newDownload(a *app) *download { return &download{app: a} }

// at is told how many bytes have come; total is 0 where it is not known.
func (d *download) at(done, total int64) {
	if !d.app.onTerminal() || done < total && time.Since(d.latest) < barEvery {
		return
	}
	d.latest, d.shown = time.Now(), true
	text := bytesText(done)
	if total > 0 {
		text = fmt.Sprintf("%3d%% of %s", done*100/total, bytesText(total))
	}
	fmt.Fprintf(d.app.stderr, "\r\x1b[K%s", text)
}

// end leaves the line free for others.
func (d *download) end() {
	if d.shown {
		d.shown = false
		fmt.Fprint(d.app.stderr, "\r\x1b[K")
	}
}
