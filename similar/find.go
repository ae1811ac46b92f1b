package similar

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/imgvec/imgvec/dataset"
)

// Find looks ids up in an output: the numbers of the rows of each that is there, rising.
func Find(ctx context.Context, v *dataset.Vectors, ids []string) (map[string][]int64, error) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	var mu sync.Mutex
	rows := map[string][]int64{}
	err := v.Each(ctx, dataset.Columns{IDs: true}, runtime.GOMAXPROCS(0), func(_ int, b *dataset.Batch) error {
		for i, id := range b.IDs {
			if wanted[id] {
				mu.Lock()
				rows[id] = append(rows[id], b.Row+int64(i))
				mu.Unlock()
			}
		}
		return nil
	})
	for _, list := range rows {
		slices.Sort(list)
	}
	return rows, err
}

// ReadBandwidth measures how many bytes a second the machine's memory gives to that many goroutines (0: one a core) that
// only read: the best of three goes over 256 MiB each. It takes some tenths of a second.
func ReadBandwidth(workers int) float64 {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	const words = 32 << 20
	blocks := make([][]uint64, workers)
	sums := make([]uint64, workers)
	for i := range blocks {
		blocks[i] = make([]uint64, words)
		for j := range blocks[i] {
			blocks[i][j] = uint64(j)
		}
	}
	var fastest float64
	for range 3 {
		var wg sync.WaitGroup
		start := time.Now()
		for i, block := range blocks {
			wg.Go(func() { sums[i] += readAll(block) })
		}
		wg.Wait()
		fastest = max(fastest, float64(workers*words*8)/time.Since(start).Seconds())
	}
	if slices.Contains(sums, 1) {
		return 0 // never; it keeps the compiler from leaving the sums out
	}
	return fastest
}

// readAll touches every word, in four sums that do not wait for each other.
func readAll(block []uint64) uint64 {
	var a, b, c, d uint64
	for len(block) >= 8 {
		p := (*[8]uint64)(block)
		a += p[0] ^ p[4]
		b += p[1] ^ p[5]
		c += p[2] ^ p[6]
		d += p[3] ^ p[7]
		block = block[8:]
	}
	return a + b + c + d
}
