package measure

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// singleSizes are the calls whose latency is measured.
var singleSizes = []int{1, 8, 64}

// minCalls is how many calls of a size are made at least, for a 99th percentile that means something.
const minCalls = 20

// single measures how long one call of Extract takes while nothing else runs, the sizes in turns.
func (b *bench) single(ctx context.Context) error {
	times := make([][]time.Duration, len(singleSizes))
	for _, size := range singleSizes { // warm up
		if _, err := b.call(ctx, size, 0); err != nil {
			return err
		}
	}
	until := time.Now().Add(b.Turn * time.Duration(b.Rounds))
	for calls := 0; calls < minCalls || time.Now().Before(until); calls++ {
		for i, size := range singleSizes {
			d, err := b.call(ctx, size, calls)
			if err != nil {
				return err
			}
			times[i] = append(times[i], d)
		}
	}
	for i, size := range singleSizes {
		l := latency(size, times[i])
		b.report.Single = append(b.report.Single, l)
		b.Log(fmt.Sprintf("single %d: p50 %v, p99 %v", size, l.P50.Round(10*time.Microsecond), l.P99.Round(10*time.Microsecond)))
	}
	return nil
}

// Latency calls Extract with so many images, one call after the other, for about as long.
func (r *Rig) Latency(ctx context.Context, images int, long time.Duration) (Latency, error) {
	if _, err := r.executor(ctx); err != nil {
		return Latency{}, err
	}
	var times []time.Duration
	for until := time.Now().Add(long); len(times) < minCalls || time.Now().Before(until); {
		d, err := r.call(ctx, images, len(times))
		if err != nil {
			return Latency{}, err
		}
		times = append(times, d)
	}
	return latency(images, times), nil
}

func latency(images int, times []time.Duration) Latency {
	slices.Sort(times)
	l := Latency{Images: images, Calls: len(times), P50: percentile(times, 50), P99: percentile(times, 99)}
	l.PerSecond = float64(images) / l.P50.Seconds()
	return l
}

func (r *Rig) call(ctx context.Context, size, number int) (time.Duration, error) {
	batch := make([][]byte, size)
	for i := range batch {
		batch[i] = r.Images[(number*size+i)%len(r.Images)]
	}
	start := time.Now()
	_, err := r.ex.ExtractContext(ctx, batch)
	return time.Since(start), err
}

// percentile of sorted times: the smallest that p of a hundred do not exceed.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[min((len(sorted)*p+99)/100, len(sorted))-1]
}
