package executor

import "sync"

// claims cuts a known number of images into tickets: whole batches while there are plenty, then the rest in equal
// shares, so that all workers end together and a call with few images uses every core. Equal shares also keep the
// number of different batch sizes low: each new one costs a device some set-up.
type claims struct {
	mu          sync.Mutex
	next, total int
	batch       int // images in a ticket while there are plenty
	workers     int
	share       int // images in a ticket at the end; 0 before it
}

func newClaims(total, batch, workers int) *claims {
	return &claims{total: total, batch: batch, workers: workers}
}

// take returns the half-open range of the next ticket, empty at the end.
func (c *claims) take() (from, to int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.total - c.next
	if c.share == 0 && left <= c.workers*c.batch {
		c.share = share(left, c.batch, c.workers)
	}
	n := c.batch
	if c.share > 0 {
		n = c.share
	}
	from = c.next
	c.next += min(n, left)
	return from, c.next
}

// share is what one of the workers claims of the images that are known to be left: min(batch, ceil(left / workers)).
func share(left, batch, workers int) int {
	return max(1, min(batch, (left+workers-1)/workers))
}
