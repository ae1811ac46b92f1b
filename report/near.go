package report

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/dataset"
)

// Near-duplicates: all pairs of vectors whose cosine reaches a threshold, put together in groups: two images are in one
// where a chain of pairs joins them. Comparing 100,000 vectors of 1280 features pairwise is 6.4e12 products. Pairs are ruled out in
// three steps, none of which loses one:
//
// 1. Vectors that are the same to the bit are one.
// 2. Each vector belongs to the pivot that it is nearest to. Two vectors within distance r of each other differ by at
// most r in their distance to any pivot, so a vector is compared with a pivot's own only if it is no more than r
// farther away from it than they are.
// 3. What is left is compared by short projections (see projection), what is left of that by long ones: their products
// are at least the vectors' cosine.
//
// Only pairs that pass are computed in full.

// slack is what rounding may take off a product of two vectors of length 1.
const slack = 1e-5

// pairs are the candidates that passed, as numbers of vectors in the projection.
type pair struct{ a, b int32 }

// maxPairs bounds the memory of candidates. Where it is reached the page says that groups may be missing.
const maxPairs = 4 << 20

// duplicates finds the groups.
func (b *builder) duplicates(ctx context.Context) error {
	b.page.Near = Near{Threshold: b.opts.Near}
	if b.proj == nil {
		return nil
	}
	f := newFinder(b.proj, b.level, b.opts.Near, b.rnd.Perm)
	b.page.Near.Of, b.page.Near.All = int64(len(f.members)), len(f.members) == len(b.proj.rows)
	candidates := f.candidates(ctx)
	b.page.Near.Cut = f.cut.Load()
	if err := b.verify(ctx, f, candidates); err != nil {
		return err
	}
	for _, g := range f.groups() {
		b.page.Near.Groups++
		b.page.Near.Images += int64(len(g))
		if len(b.page.Near.Sets) < groupsShown {
			set := Set{Count: int64(len(g))}
			for _, i := range g[:min(len(g), membersShown)] {
				set.Images = append(set.Images, b.page.image(b.proj.rows[i]))
			}
			b.page.Near.Sets = append(b.page.Near.Sets, set)
		}
	}
	return ctx.Err()
}

// finder looks for pairs.
type finder struct {
	p       *projection
	level   csrc.Level
	near    float64
	members []int32     // vectors that take part, rising
	single  []int32     // of them, one of each that are the same
	parent  []int32     // of every vector: union-find
	cut     atomic.Bool // there were more candidates than maxPairs
}

func newFinder(p *projection, level csrc.Level, near float64, perm func(int) []int) *finder {
	f := &finder{p: p, level: level, near: near, parent: make([]int32, len(p.rows))}
	for i := range f.parent {
		f.parent[i] = int32(i)
	}
	if len(p.rows) <= MaxPairRows {
		f.members = slices.Clone(f.parent)
	} else {
		for _, i := range perm(len(p.rows))[:MaxPairRows] {
			f.members = append(f.members, int32(i))
		}
		slices.Sort(f.members)
	}
	first := make(map[uint64]int32, len(f.members))
	for _, i := range f.members {
		if j, known := first[p.hash[i]]; known {
			f.join(i, j)
			continue
		}
		first[p.hash[i]] = i
		f.single = append(f.single, i)
	}
	return f
}

func (f *finder) find(i int32) int32 {
	for f.parent[i] != i {
		f.parent[i] = f.parent[f.parent[i]]
		i = f.parent[i]
	}
	return i
}

func (f *finder) join(i, j int32) {
	i, j = f.find(i), f.find(j)
	f.parent[max(i, j)] = min(i, j)
}

// cell is the vectors of one pivot.
type cell struct {
	members []int32
	radius  float64 // of the farthest from the pivot
}

// cells gives each vector to the nearest of some pivots; distance is that of each vector to each pivot.
func (f *finder) cells() (cells []cell, home []int32, distance []float32) {
	n, w := len(f.single), f.p.short.width
	step := max(1, int(math.Sqrt(float64(n))*4/3))
	var chosen []int32
	for i := 0; i < n; i += step {
		chosen = append(chosen, f.single[i])
	}
	pivots, count := f.p.short.gather(nil, chosen), len(chosen)
	distance, cells, home = make([]float32, n*count), make([]cell, count), make([]int32, n)
	parallel(n, 256, func(from, to int) {
		products := make([]float32, (to-from)*count)
		csrc.Dot(f.level, products, pivots, f.p.short.gather(nil, f.single[from:to]), w)
		for i := range to - from {
			for c := range count {
				d := float32(math.Sqrt(max(0, 2-2*float64(products[i*count+c]))))
				distance[(from+i)*count+c] = d
				if d < distance[(from+i)*count+int(home[from+i])] {
					home[from+i] = int32(c)
				}
			}
		}
	})
	for i, c := range home {
		cells[c].members = append(cells[c].members, f.single[i])
		cells[c].radius = max(cells[c].radius, float64(distance[i*count+int(c)]))
	}
	return cells, home, distance
}

// candidates are the pairs that the projections leave.
func (f *finder) candidates(ctx context.Context) []pair {
	cells, home, distance := f.cells()
	var mu sync.Mutex
	var out []pair
	reach := math.Sqrt(max(0, 2-2*f.near)) + math.Sqrt(slack)
	parallel(len(cells), 1, func(c, _ int) {
		if ctx.Err() != nil || f.cut.Load() {
			return
		}
		var others []int32
		for i, at := range home {
			if int(at) > c && float64(distance[i*len(cells)+c]) <= cells[c].radius+reach {
				others = append(others, f.single[i])
			}
		}
		found := append(f.compare(cells[c].members, cells[c].members, true), f.compare(cells[c].members, others, false)...)
		mu.Lock()
		defer mu.Unlock()
		if len(out)+len(found) > maxPairs {
			f.cut.Store(true)
			return
		}
		out = append(out, found...)
	})
	slices.SortFunc(out, func(x, y pair) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	return out
}

// compare gives the pairs of some and others that the projections leave; where the two are the same, each once.
func (f *finder) compare(some, others []int32, same bool) (out []pair) {
	const rows, queries = 512, 64
	least := float32(f.near - slack)
	products := make([]float32, rows*queries)
	var mine, theirs, passed []float32
	var who []int32
	for from := 0; from < len(others) && len(out) <= maxPairs; from += rows {
		block := others[from:min(from+rows, len(others))]
		theirs = f.p.short.gather(theirs[:0], block)
		for start := 0; start < len(some); start += queries {
			group := some[start:min(start+queries, len(some))]
			if same && group[0] >= block[len(block)-1] {
				continue
			}
			mine = f.p.short.gather(mine[:0], group)
			p := products[:len(group)*len(block)]
			csrc.Dot(f.level, p, theirs, mine, f.p.short.width)
			for i, a := range group {
				who = who[:0]
				for j, v := range p[i*len(block) : (i+1)*len(block)] {
					if v >= least && (!same || block[j] > a) {
						who = append(who, block[j])
					}
				}
				if len(who) == 0 {
					continue
				}
				passed = f.p.long.gather(passed[:0], who)
				again := make([]float32, len(who))
				csrc.Dot(f.level, again, passed, f.p.long.row(a), f.p.long.width)
				for j, v := range again {
					if v >= least {
						out = append(out, pair{min(a, who[j]), max(a, who[j])})
					}
				}
			}
		}
	}
	return out
}

// verify computes the cosines of the candidates in full, some rows at a time.
func (b *builder) verify(ctx context.Context, f *finder, candidates []pair) error {
	const rowsAtOnce = 40_000
	for len(candidates) > 0 {
		wanted := map[int32]bool{}
		n := 0
		for n < len(candidates) && len(wanted) < rowsAtOnce {
			wanted[candidates[n].a], wanted[candidates[n].b] = true, true
			n++
		}
		vectors, err := b.vectors(ctx, wanted)
		if err != nil {
			return err
		}
		for _, c := range candidates[:n] {
			if f.find(c.a) != f.find(c.b) && cosine(vectors[c.a], vectors[c.b]) >= b.opts.Near {
				f.join(c.a, c.b)
			}
		}
		candidates = candidates[n:]
	}
	return nil
}

// vectors reads some vectors, by their number in the projection.
func (b *builder) vectors(ctx context.Context, wanted map[int32]bool) (map[int32][]float32, error) {
	var rows []int64
	at := map[int64]int32{}
	for i := range wanted {
		rows = append(rows, b.proj.rows[i])
		at[b.proj.rows[i]] = i
	}
	found, err := b.v.At(ctx, rows, dataset.Columns{Features: true})
	out := make(map[int32][]float32, len(found))
	for _, r := range found {
		out[at[r.Row]] = r.Features
	}
	return out, err
}

func cosine(a, b []float32) float64 {
	var dot, x, y float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		x += float64(a[i]) * float64(a[i])
		y += float64(b[i]) * float64(b[i])
	}
	return dot / math.Sqrt(x*y)
}

// groups are those of two and more vectors, the largest first, each in the order of the rows.
func (f *finder) groups() [][]int32 {
	by := map[int32][]int32{}
	for _, i := range f.members {
		root := f.find(i)
		by[root] = append(by[root], i)
	}
	var out [][]int32
	for _, g := range by {
		if len(g) > 1 {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(x, y []int32) int { return cmp.Or(cmp.Compare(len(y), len(x)), cmp.Compare(x[0], y[0])) })
	return out
}
