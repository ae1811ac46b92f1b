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
		slices.Sort(times[i])
		l := Latency{Images: size, Calls: len(times[i]), P50: percentile(times[i], 50), P99: percentile(times[i], 99)}
		l.PerSecond = float64(size) / l.P50.Seconds()
		b.report.Single = append(b.report.Single, l)
		b.Log(fmt.Sprintf("single %d: p50 %v, p99 %v", size, l.P50.Round(10*time.Microsecond), l.P99.Round(10*time.Microsecond)))
	}
	return nil
}

func (b *bench) call(ctx context.Context, size, number int) (time.Duration, error) {
	batch := make([][]byte, size)
	for i := range batch {
		batch[i] = b.Images[(number*size+i)%len(b.Images)]
	}
	start := time.Now()
	_, err := b.ex.ExtractContext(ctx, batch)
	return time.Since(start), err
}

// percentile of sorted times: the smallest that p of a hundred do not exceed.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[min((len(sorted)*p+99)/100, len(sorted))-1]
}
