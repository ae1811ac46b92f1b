package similar_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/similar"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// made is a made-up output: every fifth row failed; some vectors stand twice, one is zero and one has a NaN.
func made(rows, dim int) [][]float32 {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]float32, rows)
	for i := range out {
		if i%5 == 4 {
			continue
		}
		out[i] = make([]float32, dim)
		for j := range out[i] {
			out[i][j] = float32(r.NormFloat64())
		}
	}
	copy(out[rows/2+1], out[1])
	out[1] = slices.Clone(out[rows-10])
	out[2] = make([]float32, dim)
	out[3][0] = float32(math.NaN())
	return out
}

func write(t *testing.T, name string, vectors [][]float32, dim int, dtype dataset.DType) *dataset.Vectors {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	w, err := dataset.Create(path, dataset.Meta{Model: "m", Dim: dim}, dataset.WriterOptions{DType: dtype})
	must(t, err)
	for i, v := range vectors {
		r := imgvec.Result{ID: fmt.Sprint("image", i), Features: v}
		if v == nil {
			r.Err = imgvec.ErrDecode
		}
		must(t, w.Write(dataset.Row{Result: r}))
	}
	must(t, w.Finish())
	v, err := dataset.OpenVectors(path, dataset.VectorsOptions{})
	must(t, err)
	return v
}

// slow is the same search in float64 by sorting all rows; it returns the rows' order and their scores.
func slow(vectors [][]float32, q similar.Query, metric similar.Metric) (rows []int64, score map[int64]float64) {
	score = map[int64]float64{}
	for i, v := range vectors {
		var dot, a, b, d float64
		for j := range v {
			x, y := float64(v[j]), float64(q.Vector[j])
			dot, a, b, d = dot+x*y, a+x*x, b+y*y, d+(x-y)*(x-y)
		}
		s := map[similar.Metric]float64{similar.Cosine: dot / math.Sqrt(a*b), similar.Dot: dot, similar.L2: math.Sqrt(d)}[metric]
		if v == nil || int64(i) == q.Exclude || math.IsNaN(s) {
			continue
		}
		score[int64(i)] = s
		rows = append(rows, int64(i))
	}
	slices.SortStableFunc(rows, func(a, b int64) int {
		if x, y := score[a], score[b]; x != y {
			return map[bool]int{true: -1, false: 1}[(x > y) != (metric == similar.L2)]
		}
		return int(a - b)
	})
	return rows, score
}

func TestSearchFindsWhatSortingFinds(t *testing.T) {
	const rows, dim, top = 4000, 70, 12
	vectors := made(rows, dim)
	for _, name := range []string{"x.parquet", "x.arrow", "x.arrows", "x.npy", "x.jsonl"} {
		v := write(t, name, vectors, dim, dataset.Float32)
		for _, metric := range []similar.Metric{similar.Cosine, similar.Dot, similar.L2} {
			var queries []similar.Query
			for _, row := range []int64{0, 1, 10, 3000} {
				queries = append(queries, similar.Query{Vector: vectors[row], Exclude: row}, similar.Query{Vector: vectors[row], Exclude: similar.None})
			}
			r, err := similar.Search(t.Context(), v, queries, similar.Options{Metric: metric, Top: top})
			must(t, err)
			for i, q := range queries {
				want, score := slow(vectors, q, metric)
				var got []int64
				for _, n := range r.Neighbours[i] {
					got = append(got, n.Row)
					if math.Abs(float64(n.Score)-score[n.Row]) > 1e-5*(1+math.Abs(score[n.Row])) {
						t.Errorf("%s %s query %d: row %d has score %v, want %v", name, metric, i, n.Row, n.Score, score[n.Row])
					}
				}
				if !slices.Equal(got, want[:top]) {
					t.Errorf("%s %s query %d: rows %v, want %v", name, metric, i, got, want[:top])
				}
			}
		}
	}
}

func TestSearchOfHalves(t *testing.T) {
	const rows, dim = 3000, 64
	vectors := made(rows, dim)
	v := write(t, "x.parquet", vectors, dim, dataset.Float16)
	var stored [][]float32
	for r, err := range v.All(t.Context(), dataset.AllColumns) {
		must(t, err)
		stored = append(stored, r.Features)
	}
	q := similar.Query{Vector: stored[20], Exclude: 20}
	r, err := similar.Search(t.Context(), v, []similar.Query{q}, similar.Options{})
	must(t, err)
	want, _ := slow(stored, q, similar.Cosine)
	for i, n := range r.Neighbours[0] {
		if n.Row != want[i] {
			t.Errorf("neighbour %d is row %d, want %d", i, n.Row, want[i])
		}
	}
	if r.Stats.Bytes != int64(rows-rows/5)*dim*2 {
		t.Errorf("%d bytes of vectors", r.Stats.Bytes)
	}
}

// TestSearchIsTheSameEverywhere: whatever the level, the goroutines and the queries beside it.
func TestSearchIsTheSameEverywhere(t *testing.T) {
	const rows, dim = 5000, 50
	vectors := made(rows, dim)
	v := write(t, "x.parquet", vectors, dim, dataset.Float32)
	var queries []similar.Query
	for i := range 150 {
		queries = append(queries, similar.Query{Vector: vectors[i*5], Exclude: int64(i * 5)})
	}
	var want *similar.Result
	for _, level := range csrc.Levels() {
		t.Setenv(csrc.LevelVariable, string(level))
		for _, workers := range []int{1, 3} {
			got, err := similar.Search(t.Context(), v, queries, similar.Options{Workers: workers})
			must(t, err)
			one, err := similar.Search(t.Context(), v, queries[7:8], similar.Options{Workers: workers})
			must(t, err)
			if want == nil {
				want = got
			}
			if diff := cmp.Diff(want.Neighbours, got.Neighbours); diff != "" {
				t.Errorf("%s, %d goroutines: %s", level, workers, diff)
			}
			if diff := cmp.Diff(want.Neighbours[7:8], one.Neighbours); diff != "" {
				t.Errorf("%s, %d goroutines, alone: %s", level, workers, diff)
			}
		}
	}
}

func TestSearchCounts(t *testing.T) {
	vectors := made(1000, 20)
	v := write(t, "x.parquet", vectors, 20, dataset.Float32)
	r, err := similar.Search(t.Context(), v, []similar.Query{{Vector: vectors[0], Exclude: 0}}, similar.Options{Top: 5000})
	must(t, err)
	s := r.Stats
	if s.Rows != 1000 || s.Failed != 200 || s.Unusable != 2 || s.Vectors != 798 {
		t.Errorf("%+v", s)
	}
	if len(r.Neighbours[0]) != 797 {
		t.Errorf("%d neighbours of all, want 797", len(r.Neighbours[0]))
	}
	if first := r.Neighbours[0][0]; first.Score > 1 {
		t.Errorf("a cosine of %v", first.Score)
	}
}

func TestSearchOfTheSameVectorScoresOne(t *testing.T) {
	vectors := made(300, 1280)
	v := write(t, "x.parquet", vectors, 1280, dataset.Float32)
	r, err := similar.Search(t.Context(), v, []similar.Query{{Vector: vectors[1], Exclude: 1}}, similar.Options{Top: 1})
	must(t, err)
	if n := r.Neighbours[0][0]; n.Row != 290 || n.Score != 1 {
		t.Errorf("the nearest of a vector that stands twice is %+v", n)
	}
}

func TestSearchRefuses(t *testing.T) {
	v := write(t, "x.parquet", made(100, 20), 20, dataset.Float32)
	nan := make([]float32, 20)
	nan[3] = float32(math.NaN())
	for text, q := range map[string]similar.Query{
		"19 features where its rows have 20": {Vector: make([]float32, 19)},
		"no direction":                       {Vector: make([]float32, 20)},
		"its length is NaN":                  {Vector: nan},
	} {
		if _, err := similar.Search(t.Context(), v, []similar.Query{q}, similar.Options{}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v; want %q", err, text)
		}
	}
	empty := write(t, "y.parquet", [][]float32{nil, nil}, 20, dataset.Float32)
	r, err := similar.Search(t.Context(), empty, []similar.Query{{Vector: make([]float32, 20)}}, similar.Options{Metric: similar.L2})
	must(t, err)
	if len(r.Neighbours[0]) != 0 || r.Stats.Failed != 2 {
		t.Errorf("%+v", r)
	}
}
