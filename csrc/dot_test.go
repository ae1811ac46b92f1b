package csrc

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func randomFloats(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}

// exact is the dot product, or the squared distance, in float64.
func exact(a, b []float32, distance bool) (sum, scale float64) {
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		term := x * y
		if distance {
			term = (x - y) * (x - y)
		}
		sum += term
		scale += math.Abs(term)
	}
	return sum, scale
}

// TestProductsAreTheSameOnEveryLevel compares all variants to the bit, and plain Go with sums in float64.
func TestProductsAreTheSameOnEveryLevel(t *testing.T) {
	for _, shape := range [][3]int{{1, 1, 1}, {3, 2, 5}, {9, 7, 16}, {5, 9, 31}, {4, 4, 1280}, {13, 6, 1283}, {1, 5, 2048}} {
		n, m, dim := shape[0], shape[1], shape[2]
		rows, queries := randomFloats(uint64(dim), n*dim+1)[1:], randomFloats(uint64(n), m*dim) // rows that are not aligned
		for _, kind := range []string{"dot", "distance"} {
			f := Dot
			if kind == "distance" {
				f = Distances
			}
			want := make([]float32, n*m)
			f(Go, want, rows, queries, dim)
			for q := range m {
				for r := range n {
					sum, scale := exact(rows[r*dim:(r+1)*dim], queries[q*dim:(q+1)*dim], kind == "distance")
					if got := float64(want[q*n+r]); math.Abs(got-sum) > 1e-6*scale {
						t.Fatalf("%s %v: query %d, row %d: %v, in float64 %v", kind, shape, q, r, got, sum)
					}
				}
			}
			for _, level := range Levels() {
				got := make([]float32, n*m)
				f(level, got, rows, queries, dim)
				for i := range got {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("%s %s %v: product %d is %v, in plain Go %v", kind, level, shape, i, got[i], want[i])
					}
				}
			}
		}
	}
}

// TestProductsDoNotDependOnTheirNeighbours: the same row and query give the same bits alone and among others.
func TestProductsDoNotDependOnTheirNeighbours(t *testing.T) {
	const n, m, dim = 11, 7, 100
	rows, queries := randomFloats(1, n*dim), randomFloats(2, m*dim)
	for _, level := range Levels() {
		all, one := make([]float32, n*m), make([]float32, 1)
		Dot(level, all, rows, queries, dim)
		for i := range all {
			q, r := i/n, i%n
			Dot(level, one, rows[r*dim:(r+1)*dim], queries[q*dim:(q+1)*dim], dim)
			if one[0] != all[i] {
				t.Fatalf("%s: query %d, row %d: %v alone, %v among others", level, q, r, one[0], all[i])
			}
		}
	}
}

// TestWidenEveryHalf compares all variants over all 65536 halves, and plain Go with the rounding that made them.
func TestWidenEveryHalf(t *testing.T) {
	src := make([]uint16, 1<<16)
	for i := range src {
		src[i] = uint16(i)
	}
	want := make([]float32, len(src))
	Widen(Go, want, src)
	for i, v := range want {
		if v == v && Float16(v) != src[i] {
			t.Fatalf("half %#x is %v, which as a half is %#x", i, v, Float16(v))
		}
	}
	for _, level := range Levels() {
		got := make([]float32, len(src)-1) // a length that is no multiple of a register's
		Widen(level, got, src[1:])
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(want[i+1]) {
				t.Fatalf("%s: half %#x is %v, in plain Go %v", level, i+1, got[i], want[i+1])
			}
		}
	}
}

// BenchmarkDot tells how fast products are where the rows come from memory (one query) and where the sums are what takes
// time (64 queries), on one core.
func BenchmarkDot(b *testing.B) {
	const n, dim, block = 40000, 1280, 32
	rows := randomFloats(1, n*dim)
	for _, m := range []int{1, 64} {
		queries := randomFloats(2, m*dim)
		products := make([]float32, block*m)
		for _, level := range Levels() {
			b.Run(fmt.Sprintf("queries=%d/%s", m, level), func(b *testing.B) {
				b.SetBytes(n * dim * 4)
				for b.Loop() {
					for r := 0; r < n; r += block {
						Dot(level, products, rows[r*dim:(r+block)*dim], queries, dim)
					}
				}
				b.ReportMetric(float64(n)*float64(m)*dim*2*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
