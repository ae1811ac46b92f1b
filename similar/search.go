package similar

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/dataset"
)

// Metric says what near means.
type Metric string

// The metrics.
const (
	Cosine Metric = "cosine" // of the angle: 1 is the same direction, whatever the length
	Dot    Metric = "dot"    // dot product: larger is nearer
	L2     Metric = "l2"     // Euclidean distance: smaller is nearer
)

// ParseMetric reads the name of a metric; "" is cosine.
func ParseMetric(s string) (Metric, error) {
	switch m := Metric(s); m {
	case "":
		return Cosine, nil
	case Cosine, Dot, L2:
		return m, nil
	}
	return "", fmt.Errorf("imgvec: search: metric %q is unknown (cosine, dot, l2)", s)
}

// None is the Exclude of a query that leaves no row out.
const None = int64(-1)

// Query is one vector whose neighbours are wanted.
type Query struct {
	Vector  []float32
	Exclude int64 // number of a row that is no neighbour: the query's own; None (-1) for none
}

// Neighbour is a row near a query.
type Neighbour struct {
	Row   int64   // its number in the output
	Score float32 // by the metric: cosine and dot product fall from the first neighbour on, a distance rises
}

// Options are the options of Search. The zero value is the default.
type Options struct {
	Metric  Metric // "" is Cosine
	Top     int    // neighbours a query; 0 is 10
	Workers int    // goroutines; 0 is one a core
}

// Result is what Search has found.
type Result struct {
	Neighbours [][]Neighbour // of each query, nearest first; fewer than Top where there are no more vectors
	Stats      Stats
}

// Stats say what a search has gone through.
type Stats struct {
	Rows     int64 // in the output
	Vectors  int64 // compared
	Failed   int64 // rows without a vector: the image had failed
	Unusable int64 // vectors that have no place: with NaN or infinity, or of length 0 for cosines
	Bytes    int64 // of the vectors as stored

	Elapsed time.Duration
	Compute time.Duration // in comparing, all goroutines together; the rest was reading and decoding
	Workers int
	Level   csrc.Level
}

// Search compares all vectors of an output with all queries. Queries are held in memory, and so are their neighbours. It
// fails for a query of another length than the output's vectors, and for one that has no direction (zero, or with NaN).
func Search(ctx context.Context, v *dataset.Vectors, queries []Query, opts Options) (*Result, error) {
	s, err := newSearch(v, queries, opts)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := v.Each(ctx, dataset.Columns{Features: true}, len(s.workers), s.batch); err != nil {
		return nil, err
	}
	r := s.result()
	r.Stats.Elapsed = time.Since(start)
	return r, nil
}

// search is a Search under way.
type search struct {
	opts    Options
	level   csrc.Level
	dim     int
	queries []Query
	matrix  []float32 // [len(queries), dim]
	lengths []float64 // of the queries
	workers []*worker
}

func newSearch(v *dataset.Vectors, queries []Query, opts Options) (*search, error) {
	var err error
	if opts.Metric, err = ParseMetric(string(opts.Metric)); err != nil {
		return nil, err
	}
	if opts.Top <= 0 {
		opts.Top = 10
	}
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	s := &search{opts: opts, dim: v.Meta().Dim, queries: queries}
	if s.level, err = csrc.Choose(); err != nil {
		return nil, err
	}
	if s.dim == 0 {
		return nil, fmt.Errorf("imgvec: search %q: it has no row with features", v.Path())
	}
	if err := s.take(v.Path()); err != nil {
		return nil, err
	}
	for range opts.Workers {
		s.workers = append(s.workers, newWorker(s))
	}
	return s, nil
}

// take lays the queries out as a matrix.
func (s *search) take(path string) error {
	s.matrix = make([]float32, 0, len(s.queries)*s.dim)
	s.lengths = make([]float64, len(s.queries))
	for i, q := range s.queries {
		if len(q.Vector) != s.dim {
			return fmt.Errorf("imgvec: search %q: query %d has %d features where its rows have %d: they are of different models", path, i, len(q.Vector), s.dim)
		}
		s.matrix = append(s.matrix, q.Vector...)
		squared := []float32{0}
		csrc.Distances(s.level, squared, q.Vector, make([]float32, s.dim), s.dim)
		s.lengths[i] = math.Sqrt(float64(squared[0]))
		if !usable(squared[0], s.opts.Metric) {
			return fmt.Errorf("imgvec: search %q: query %d has no direction: its length is %v", path, i, s.lengths[i])
		}
	}
	return nil
}

// usable tells of a vector's squared length whether the vector can be compared.
func usable(squared float32, metric Metric) bool {
	v := float64(squared)
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (v > 0 || metric != Cosine)
}

func (s *search) batch(worker int, b *dataset.Batch) error {
	s.workers[worker].batch(b)
	return nil
}

// result puts together what the workers have found.
func (s *search) result() *Result {
	r := &Result{Neighbours: make([][]Neighbour, len(s.queries))}
	r.Stats.Workers, r.Stats.Level = len(s.workers), s.level
	for _, w := range s.workers {
		r.Stats.Rows += w.stats.Rows
		r.Stats.Vectors += w.stats.Vectors
		r.Stats.Failed += w.stats.Failed
		r.Stats.Unusable += w.stats.Unusable
		r.Stats.Bytes += w.stats.Bytes
		r.Stats.Compute += w.stats.Compute
	}
	for q := range s.queries {
		var all best
		all.limit = s.opts.Top
		for _, w := range s.workers {
			for _, c := range w.best[q].items {
				all.push(c)
			}
		}
		r.Neighbours[q] = all.sorted()
		if s.opts.Metric == L2 {
			for i := range r.Neighbours[q] {
				n := &r.Neighbours[q][i]
				n.Score = float32(math.Sqrt(-float64(n.Score)))
			}
		}
	}
	return r
}
