package report

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

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
// 3. What is left is compared by projections (see projection), whose product is at least the vectors' cosine.
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
	b.page.Near.Cut = len(candidates) >= maxPairs
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
	members []int32 // vectors that take part, rising
	single  []int32 // of them, one of each that are the same
	parent  []int32 // of every vector: union-find
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

// cell is the vectors of one pivot, in the order of their numbers.
type cell struct {
	members []int32
	short   []float32
	radius  float64 // of the farthest from the pivot
}

// candidates are the pairs that the projections leave.
func (f *finder) candidates(ctx context.Context) []pair {
	n, w := len(f.single), f.p.width
	step := max(1, int(math.Sqrt(float64(n))/1.5))
	var pivots []float32
	for i := step / 2; i < n; i += step * 2 {
		pivots = append(pivots, f.row(f.single[i])...)
	}
	if len(pivots) == 0 && n > 0 {
		pivots = f.row(f.single[0])
	}
	count := len(pivots) / w
	distance := make([]float32, n*count)
	cells := make([]cell, count)
	home := make([]int32, n)
	parallel(n, 256, func(from, to int) {
		products := make([]float32, (to-from)*count)
		block := f.gather(f.single[from:to])
		csrc.Dot(f.level, products, pivots, block, w)
		for i := range to - from {
			for c := range count {
				d := math.Sqrt(max(0, 2-2*float64(products[i*count+c])))
				distance[(from+i)*count+c] = float32(d)
				if float32(d) < distance[(from+i)*count+int(home[from+i])] {
					home[from+i] = int32(c)
				}
			}
		}
	})
	for i, c := range home {
		cells[c].members = append(cells[c].members, f.single[i])
		cells[c].radius = max(cells[c].radius, float64(distance[i*count+int(c)]))
	}
	var mu sync.Mutex
	var out []pair
	reach := math.Sqrt(max(0, 2-2*f.near)) + math.Sqrt(slack)
	parallel(count, 1, func(c, _ int) {
		if ctx.Err() != nil {
			return
		}
		var others []int32
		for i := range n {
			if int(home[i]) >= c && float64(distance[i*count+c]) <= cells[c].radius+reach {
				others = append(others, f.single[i])
			}
		}
		found := f.compare(cells[c].members, others)
		mu.Lock()
		out = append(out, found[:min(len(found), maxPairs-len(out))]...)
		mu.Unlock()
	})
	slices.SortFunc(out, func(x, y pair) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	return slices.Compact(out)
}

func (f *finder) row(i int32) []float32 { return f.p.short[int(i)*f.p.width : (int(i)+1)*f.p.width] }

func (f *finder) gather(members []int32) []float32 {
	out := make([]float32, 0, len(members)*f.p.width)
	for _, i := range members {
		out = append(out, f.row(i)...)
	}
	return out
}

// compare gives the pairs of a cell's own and others that the projections leave.
func (f *finder) compare(own, others []int32) (out []pair) {
	w, least := f.p.width, float32(f.near-slack)
	const rows, queries = 512, 64
	products := make([]float32, rows*queries)
	for from := 0; from < len(others); from += rows {
		block := others[from:min(from+rows, len(others))]
		theirs := f.gather(block)
		for start := 0; start < len(own); start += queries {
			mine := own[start:min(start+queries, len(own))]
			p := products[:len(mine)*len(block)]
			csrc.Dot(f.level, p, theirs, f.gather(mine), w)
			for i, v := range p {
				if v < least {
					continue
				}
				if a, b := mine[i/len(block)], block[i%len(block)]; a != b {
					out = append(out, pair{min(a, b), max(a, b)})
				}
			}
		}
		if len(out) > maxPairs {
			return out
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
