package report

import (
	"cmp"
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
// what that does not reach. Each is itself of length 1, and the product of two is never less than that of the vectors
// they stand for: the parts along the basis are the same, and the rest of the two can at most point the same way. There
// are two: a short one that is cheap to compare, and a long one that rules out more.
type projection struct {
	rows        []int64 // numbers of the rows, rising
	short, long side
	hash        []uint64 // of the whole vectors; the same for the same bits
}

// side is the vectors seen from some directions.
type side struct {
	width int
	parts []float32 // [rows, width]
}

// shortParts is how many parts a short projection has, with the length of the rest.
const shortParts = 64

func newSide(directions int) side { return side{width: (directions + 1 + 15) / 16 * 16} }

func (s *side) row(i int32) []float32 { return s.parts[int(i)*s.width : (int(i)+1)*s.width] }

func (s *side) gather(dst []float32, members []int32) []float32 {
	for _, i := range members {
		dst = append(dst, s.row(i)...)
	}
	return dst
}

// add appends a vector by its parts, and the length of the rest.
func (s *side) add(parts []float32) {
	rest := 1.0
	for _, x := range parts {
		rest -= float64(x) * float64(x)
	}
	s.parts = append(append(s.parts, parts...), float32(math.Sqrt(max(rest, 0))))
	for len(s.parts)%s.width != 0 {
		s.parts = append(s.parts, 0)
	}
}

// hashSeed differs from run to run; only whether two hashes are the same counts. That two of 200,000 vectors have the same
// 64 bits by chance happens once in a billion outputs.
var hashSeed = maphash.MakeSeed()

func project(ctx context.Context, v *dataset.Vectors, b *basis, level csrc.Level) (*projection, error) {
	var mu sync.Mutex
	var pieces []*projection
	few := min(b.n, shortParts-1)
	err := v.Each(ctx, dataset.Columns{Features: true}, runtime.GOMAXPROCS(0), func(_ int, batch *dataset.Batch) error {
		one := &projection{short: newSide(few), long: newSide(b.n)}
		parts := make([]float32, b.n)
		for i, at := range batch.Index {
			vector := batch.Vector(i)
			if unit(vector) == 0 {
				continue
			}
			csrc.Dot(level, parts, b.vectors, vector, b.dim)
			one.rows = append(one.rows, batch.Row+int64(at))
			one.short.add(parts[:few])
			one.long.add(parts)
			one.hash = append(one.hash, hashOf(vector))
		}
		mu.Lock()
		defer mu.Unlock()
		if len(one.rows) > 0 {
			pieces = append(pieces, one)
		}
		return nil
	})
	slices.SortFunc(pieces, func(x, y *projection) int { return cmp.Compare(x.rows[0], y.rows[0]) })
	p := &projection{short: newSide(few), long: newSide(b.n)}
	for i, one := range pieces {
		p.rows = append(p.rows, one.rows...)
		p.short.parts = append(p.short.parts, one.short.parts...)
		p.long.parts = append(p.long.parts, one.long.parts...)
		p.hash = append(p.hash, one.hash...)
		pieces[i] = nil
	}
	return p, err
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
	return float64(p.short.parts[i*p.short.width]), float64(p.short.parts[i*p.short.width+1])
}
