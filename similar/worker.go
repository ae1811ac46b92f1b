package similar

import (
	"math"
	"time"

	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/dataset"
)

// Rows and queries go through the processor in blocks: that many queries share the products' memory, and a block of rows
// stays in the second-level cache while all queries go over it.
const (
	queryBlock = 64
	blockBytes = 192 << 10
)

// worker is what one goroutine of a search has.
type worker struct {
	s        *search
	block    int       // rows
	zero     []float32 // a query of zeros
	wide     []float32 // a block of halves as floats
	squared  []float32 // lengths of a block's rows
	lengths  []float64
	products []float32
	best     []best // of each query
	stats    Stats
}

func newWorker(s *search) *worker {
	block := max(blockBytes/(s.dim*4), 4)
	w := &worker{
		s: s, block: block, zero: make([]float32, s.dim), wide: make([]float32, block*s.dim), squared: make([]float32, block),
		lengths: make([]float64, block), products: make([]float32, block*queryBlock), best: make([]best, len(s.queries)),
	}
	for i := range w.best {
		w.best[i].limit = s.opts.Top
	}
	return w
}

// batch compares a batch's vectors with the queries.
func (w *worker) batch(b *dataset.Batch) {
	start := time.Now()
	n, size := len(b.Index), 4
	if len(b.Float16) > 0 {
		size = 2
	}
	w.stats.Rows += int64(b.Len)
	w.stats.Failed += int64(b.Len - n)
	w.stats.Bytes += int64(n * b.Dim * size)
	for from := 0; from < n; from += w.block {
		to := min(from+w.block, n)
		rows := w.wide[:(to-from)*b.Dim]
		if size == 2 {
			csrc.Widen(w.s.level, rows, b.Float16[from*b.Dim:to*b.Dim])
		} else {
			rows = b.Float32[from*b.Dim : to*b.Dim]
		}
		w.rows(rows, b.Row, b.Index[from:to])
	}
	w.stats.Compute += time.Since(start)
}

// rows compares a block of rows; index says which of the rows from first on they are.
func (w *worker) rows(rows []float32, first int64, index []int32) {
	n, dim := len(index), w.s.dim
	for q := 0; q < len(w.s.queries); q += queryBlock {
		m := min(queryBlock, len(w.s.queries)-q)
		products := w.products[:m*n]
		queries := w.s.matrix[q*dim : (q+m)*dim]
		if w.s.opts.Metric == L2 {
			csrc.Distances(w.s.level, products, rows, queries, dim)
		} else {
			csrc.Dot(w.s.level, products, rows, queries, dim)
		}
		if q == 0 {
			w.measure(rows, n) // the rows are in the cache now
		}
		for i := range m {
			w.offer(q+i, products[i*n:(i+1)*n], first, index)
		}
	}
}

// measure finds the rows' lengths; that of a row that can't be compared is NaN.
func (w *worker) measure(rows []float32, n int) {
	csrc.Distances(w.s.level, w.squared[:n], rows, w.zero, w.s.dim)
	for i, v := range w.squared[:n] {
		w.lengths[i] = math.NaN()
		if usable(v, w.s.opts.Metric) {
			w.lengths[i] = math.Sqrt(float64(v))
			w.stats.Vectors++
		} else {
			w.stats.Unusable++
		}
	}
}

// offer takes the products of a query with a block of rows.
func (w *worker) offer(query int, products []float32, first int64, index []int32) {
	best, exclude, length := &w.best[query], w.s.queries[query].Exclude, w.s.lengths[query]
	for i, p := range products {
		var score float32
		switch w.s.opts.Metric {
		case Cosine:
			score = float32(float64(p) / (w.lengths[i] * length))
		case L2:
			score = -p
		default:
			score = p
		}
		if row := first + int64(index[i]); best.takes(score, row) && !math.IsNaN(w.lengths[i]) && row != exclude {
			best.push(Neighbour{row, score})
		}
	}
}
