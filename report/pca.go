package report

import (
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/imgvec/imgvec/csrc"
)

// covariance sums up the products of all pairs of features, [dim, dim], over vectors that come in one by one.
type covariance struct {
	level csrc.Level
	dim   int
	n     int64
	shift []float32 // the first vector: taken off each, so that the sums do not cancel
	block []float32 // [dim, blockRows]: vectors as columns
	held  int
	sum   []float64 // of the vectors
	pairs []float64 // [dim, dim]
}

const blockRows = 512

func newCovariance(dim int, level csrc.Level) *covariance {
	return &covariance{level: level, dim: dim, block: make([]float32, dim*blockRows), sum: make([]float64, dim), pairs: make([]float64, dim*dim)}
}

func (c *covariance) add(v []float32) {
	if c.shift == nil {
		c.shift = slices.Clone(v)
	}
	for j, x := range v {
		x -= c.shift[j]
		c.block[j*blockRows+c.held] = x
		c.sum[j] += float64(x)
	}
	c.n++
	if c.held++; c.held == blockRows {
		c.flush()
	}
}

// flush adds the held vectors' products. Each core has rows of the matrix of its own, so the sums do not depend on which
// is faster.
func (c *covariance) flush() {
	if c.held == 0 {
		return
	}
	for j := range c.dim {
		clear(c.block[j*blockRows+c.held : (j+1)*blockRows])
	}
	parallel(c.dim, 4, func(from, to int) {
		products := make([]float32, (to-from)*c.dim)
		csrc.Dot(c.level, products, c.block, c.block[from*blockRows:to*blockRows], blockRows)
		for i, p := range products {
			c.pairs[from*c.dim+i] += float64(p)
		}
	})
	c.held = 0
}

// parallel runs do over the ranges of n, size at a time, on all cores.
func parallel(n, size int, do func(from, to int)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := 0
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				from := next
				next += size
				mu.Unlock()
				if from >= n {
					return
				}
				do(from, min(from+size, n))
			}
		})
	}
	wg.Wait()
}

// basis is some orthonormal directions: principal components, the strongest first, and the mean's.
type basis struct {
	dim, n   int
	vectors  []float32 // [n, dim]
	variance []float64 // along the first of them
	total    float64   // of all directions
	of       int64     // vectors that it was found from
}

// Principal components: strong ones that are found well, and more of them, found roughly, whose only use is to rule out
// pairs (near.go). Any orthonormal vectors do that without losing one.
const (
	strong, all                 = 62, 254
	strongSteps, allSteps, core = 60, 4, 16
)

// basis finds the covariance's strongest directions by subspace iteration: a block of vectors is multiplied by the matrix
// and made orthonormal again, over and over. The mean's direction, which is what all vectors have in common and no
// component, comes after the strong ones.
func (c *covariance) basis(level csrc.Level) *basis {
	matrix, mean, total := c.matrix()
	b := &basis{dim: c.dim, n: min(all, c.dim), total: total, of: c.n}
	block := make([]float64, b.n*c.dim)
	x := uint64(88172645463325252)
	for i := range block { // any start will do that is always the same
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		block[i] = float64(x>>11)/(1<<53) - 0.5
	}
	orthonormal(block, c.dim)
	iterate(level, matrix, block, c.dim, allSteps)
	first := block[:min(core, b.n)*c.dim]
	product := iterate(level, matrix, first, c.dim, strongSteps)
	orthonormal(block, c.dim) // the others make room for what the first have become
	b.variance = make([]float64, len(first)/c.dim)
	for i := range b.variance {
		for j := range c.dim {
			b.variance[i] += first[i*c.dim+j] * float64(product[i*c.dim+j])
		}
	}
	b.orient(first)
	if b.n < c.dim {
		at := min(strong, b.n) * c.dim
		block = slices.Insert(block, at, mean...)
		orthonormal(block, c.dim)
		b.n++
	}
	b.vectors = make([]float32, len(block))
	for i, v := range block {
		b.vectors[i] = float32(v)
	}
	return b
}

// iterate takes some steps, and returns the matrix' products with what has become of the block.
func iterate(level csrc.Level, matrix []float32, block []float64, dim, steps int) []float32 {
	narrow, product := make([]float32, len(block)), make([]float32, len(block))
	for range steps {
		multiply(level, product, matrix, narrow, block, dim)
		for i, p := range product {
			block[i] = float64(p)
		}
		orthonormal(block, dim)
	}
	multiply(level, product, matrix, narrow, block, dim)
	return product
}

// matrix is the covariance proper, the mean and the sum of all variances.
func (c *covariance) matrix() (m []float32, mean []float64, total float64) {
	m, mean = make([]float32, c.dim*c.dim), make([]float64, c.dim)
	n := float64(c.n)
	for i := range c.dim {
		for j := range c.dim {
			m[i*c.dim+j] = float32(c.pairs[i*c.dim+j]/n - c.sum[i]/n*c.sum[j]/n)
		}
		total += max(0, float64(m[i*c.dim+i]))
		mean[i] = c.sum[i]/n + float64(c.shift[i])
	}
	return m, mean, total
}

func multiply(level csrc.Level, product, matrix, narrow []float32, block []float64, dim int) {
	for i, v := range block {
		narrow[i] = float32(v)
	}
	parallel(len(block)/dim, 4, func(from, to int) {
		csrc.Dot(level, product[from*dim:to*dim], matrix, narrow[from*dim:to*dim], dim)
	})
}

// orient turns each of the first components so that its largest part is positive, and orders them by their variance.
func (b *basis) orient(block []float64) {
	order := make([]int, len(b.variance))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return map[bool]int{true: -1, false: 1}[b.variance[x] >= b.variance[y]]
	})
	old, variance := slices.Clone(block), slices.Clone(b.variance)
	for to, from := range order {
		row := block[to*b.dim : (to+1)*b.dim]
		copy(row, old[from*b.dim:(from+1)*b.dim])
		b.variance[to] = max(0, variance[from])
		largest := 0
		for j, v := range row {
			if math.Abs(v) > math.Abs(row[largest]) {
				largest = j
			}
		}
		if row[largest] < 0 {
			for j := range row {
				row[j] = -row[j]
			}
		}
	}
}

// orthonormal is Gram-Schmidt, twice over for vectors that lie close together. One that is a combination of those before
// it becomes zero.
func orthonormal(block []float64, dim int) {
	for i := 0; i*dim < len(block); i++ {
		v := block[i*dim : (i+1)*dim]
		before := math.Sqrt(inner(v, v))
		for range 2 {
			for j := range i {
				u := block[j*dim : (j+1)*dim]
				p := inner(u, v)
				for k := range v {
					v[k] -= p * u[k]
				}
			}
		}
		norm := math.Sqrt(inner(v, v))
		if !(norm > 1e-9*before) {
			clear(v)
			continue
		}
		for k := range v {
			v[k] /= norm
		}
	}
}

func inner(a, b []float64) (sum float64) {
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
