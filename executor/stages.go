package executor

import (
	"sync/atomic"
	"time"
)

// stage is a step of the data path that Stats tells apart.
type stage int

const (
	stageRead stage = iota
	stageDecode
	stageResize
	stageH2D
	stageNormalize
	stageSession
	stageD2H
	stageQueue
	stageCount
)

var stageNames = [stageCount]string{"read", "decode", "resize", "h2d", "normalize", "session", "d2h", "queue"}

// busy is what one goroutine did since it last told the executor: plain numbers, so that the steps of an image cost no
// shared memory traffic.
type busy struct {
	nanos  [stageCount]int64
	images [stageCount]int64
}

func (b *busy) add(s stage, d time.Duration, images int) {
	b.nanos[s] += int64(d)
	b.images[s] += int64(images)
}

// run adds a backend's Run of n images since start. A GPU tells the steps of it by itself: its goroutine only waits.
func (b *busy) run(in *instance, start time.Time, n int) {
	if in.onGPU != nil {
		b.add(stageQueue, time.Since(start), 0)
		return
	}
	b.add(stageSession, time.Since(start), n)
}

// totals are the sums over all goroutines.
type totals struct {
	nanos, images [stageCount]atomic.Int64

	done, failed, batches, padding atomic.Int64
}

// flush moves what b counted into the totals.
func (t *totals) flush(b *busy) {
	for s := range stageCount {
		if b.nanos[s] != 0 || b.images[s] != 0 {
			t.nanos[s].Add(b.nanos[s])
			t.images[s].Add(b.images[s])
		}
	}
	*b = busy{}
}
