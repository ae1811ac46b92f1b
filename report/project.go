package report

import (
	"context"
	"hash/maphash"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/dataset"
)

// projection is the usable vectors, at length 1, seen from fewer directions: their parts along a basis, and the length of
// what the basis does not reach. Each is itself of length 1, and the product of two is never less than that of the
// vectors they stand for: the parts along the basis are the same, and the rest of the two can at most point the same way.
type projection struct {
	width int
	rows  []int64   // numbers of the rows, rising
	short []float32 // [len(rows), width]
	hash  []uint64  // of the whole vectors; the same for the same bits
}

// hashSeed differs from run to run; only whether two hashes are the same counts. That two of 200,000 vectors have the same
// 64 bits by chance happens once in a billion outputs.
var hashSeed = maphash.MakeSeed()

func project(ctx context.Context, v *dataset.Vectors, b *basis, s *scan, level csrc.Level) (*projection, error) {
	p := &projection{width: (b.n + 1 + 15) / 16 * 16, rows: make([]int64, 0, s.usable())}
	type piece struct {
		first int64
		rows  []int64
		short []float32
		hash  []uint64
	}
	var mu sync.Mutex
	var pieces []piece
	err := v.Each(ctx, dataset.Columns{Features: true}, runtime.GOMAXPROCS(0), func(_ int, batch *dataset.Batch) error {
		one := piece{first: batch.Row}
		parts := make([]float32, b.n)
		for i, at := range batch.Index {
			vector := batch.Vector(i)
			if unit(vector) == 0 {
				continue
			}
			csrc.Dot(level, parts, b.vectors, vector, b.dim)
			one.rows = append(one.rows, batch.Row+int64(at))
			one.short = append(one.short, shorten(parts, p.width)...)
			one.hash = append(one.hash, hashOf(vector))
		}
		mu.Lock()
		pieces = append(pieces, one)
		mu.Unlock()
		return nil
	})
	slices.SortFunc(pieces, func(x, y piece) int { return int(x.first - y.first) })
	for _, one := range pieces {
		p.rows = append(p.rows, one.rows...)
		p.short = append(p.short, one.short...)
		p.hash = append(p.hash, one.hash...)
	}
	return p, err
}

// shorten adds the length of the rest to a vector's parts.
func shorten(parts []float32, width int) []float32 {
	out := make([]float32, width)
	rest := 1.0
	for i, x := range parts {
		out[i] = x
		rest -= float64(x) * float64(x)
	}
	out[len(parts)] = float32(math.Sqrt(max(rest, 0)))
	return out
}

func hashOf(v []float32) uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	var b [4]byte
	for _, x := range v {
		bits := math.Float32bits(x)
		b[0], b[1], b[2], b[3] = byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24)
		_, _ = h.Write(b[:])
	}
	return h.Sum64()
}

// point is vector i's place along the two strongest directions.
func (p *projection) point(i int) (x, y float64) {
	x = float64(p.short[i*p.width])
	if p.width > 1 {
		y = float64(p.short[i*p.width+1])
	}
	return x, y
}
