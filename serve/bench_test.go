package serve

import (
	"fmt"
	"testing"
)

// BenchmarkRows measures rows of 100 KB through a socket and back, with 2048 features each and nothing computed.
func BenchmarkRows(b *testing.B) {
	for _, window := range []int{1, 4, 8} {
		for _, rows := range []int{1, 16, 32, 64} {
			b.Run(fmt.Sprintf("window=%d/rows=%d", window, rows), func(b *testing.B) { benchmark(b, window, rows) })
		}
	}
}

func benchmark(b *testing.B, window, rows int) {
	f := &instant{row: make([]float32, 2048)}
	s := start(b, f, Config{About: About{Dim: 2048}})
	h := hello()
	h.Window = Window{window, 1 << 30}
	c := s.dial(b).open(h)
	c.start()
	rec := record(c.typ, images(rows, 100_000, "x"))
	sent := make(chan error, 1)
	free := make(chan struct{}, window)
	batches := b.N/rows + 1
	b.SetBytes(100_000)
	b.ResetTimer()
	go func() {
		for range batches {
			free <- struct{}{}
			if err := c.out.Write(rec); err != nil {
				sent <- err
				return
			}
		}
		sent <- c.out.Close()
	}()
	for range batches {
		if _, err := c.next(); err != nil {
			b.Fatal(err)
		}
		<-free
	}
	if err := <-sent; err != nil {
		b.Fatal(err)
	}
	if t := c.trailer(); !t.OK {
		b.Fatal(t)
	}
	b.ReportMetric(float64(batches*rows)/b.Elapsed().Seconds(), "rows/s")
}
