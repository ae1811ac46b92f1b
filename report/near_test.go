package report

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/dataset"
)

// slowGroups compares all pairs in float64.
func slowGroups(vectors map[int64][]float32, near float64) [][]int64 {
	var rows []int64
	for row := range vectors {
		rows = append(rows, row)
	}
	slices.Sort(rows)
	group := map[int64]int64{}
	for _, a := range rows {
		group[a] = a
	}
	for i, a := range rows {
		for _, b := range rows[:i] {
			if x, y := group[a], group[b]; x != y && cosine(vectors[a], vectors[b]) >= near {
				for row, g := range group {
					if g == max(x, y) {
						group[row] = min(x, y)
					}
				}
			}
		}
	}
	by := map[int64][]int64{}
	for _, a := range rows {
		by[group[a]] = append(by[group[a]], a)
	}
	var out [][]int64
	for _, a := range rows {
		if g := by[a]; len(g) > 1 {
			out = append(out, g)
		}
	}
	return out
}

func foundGroups(t *testing.T, v *dataset.Vectors, near float64) [][]int64 {
	t.Helper()
	b := newTestBuilder(t, v, Options{Near: near})
	must(t, b.read(t.Context()))
	f := newFinder(b.proj, b.level, near, b.rnd.Perm)
	must(t, b.verify(t.Context(), f, f.candidates(t.Context())))
	var out [][]int64
	for _, g := range f.groups() {
		var rows []int64
		for _, i := range g {
			rows = append(rows, b.proj.rows[i])
		}
		out = append(out, rows)
	}
	slices.SortFunc(out, func(x, y []int64) int { return int(x[0] - y[0]) })
	return out
}

// TestNearDuplicatesLoseNoPair compares the search with all pairs, at thresholds where few and where many pairs pass, and
// in dimensions below and above that of the projection.
func TestNearDuplicatesLoseNoPair(t *testing.T) {
	for _, dim := range []int{3, 40, 400} {
		output := filepath.Join(t.TempDir(), "x.parquet")
		made(t, output, 1500, dim, dataset.Meta{})
		v, err := dataset.OpenVectors(output, dataset.VectorsOptions{})
		must(t, err)
		vectors := map[int64][]float32{}
		for r, err := range v.All(t.Context(), dataset.Columns{Features: true}) {
			must(t, err)
			if r.Features != nil && unit(slices.Clone(r.Features)) > 0 {
				vectors[r.Row] = r.Features
			}
		}
		for _, near := range []float64{0.72, 0.95, 0.9999} {
			want := slowGroups(vectors, near)
			got := foundGroups(t, v, near)
			if len(want) == 0 && near < 0.99 {
				t.Errorf("dimension %d, %v: there is nothing to find", dim, near)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("dimension %d, %v: %d groups, want %d: %.600s", dim, near, len(got), len(want), diff)
			}
		}
	}
}

// TestProjectionsAreNeverFartherApart: the product of two projections is at least that of the vectors.
func TestProjectionsAreNeverFartherApart(t *testing.T) {
	output := filepath.Join(t.TempDir(), "x.parquet")
	made(t, output, 200, 300, dataset.Meta{})
	v, err := dataset.OpenVectors(output, dataset.VectorsOptions{})
	must(t, err)
	b := newTestBuilder(t, v, Options{})
	must(t, b.read(t.Context()))
	vectors := map[int64][]float32{}
	for r, err := range v.All(t.Context(), dataset.Columns{Features: true}) {
		must(t, err)
		vectors[r.Row] = r.Features
	}
	product := []float32{0}
	for _, s := range []side{b.proj.short, b.proj.long} {
		for i := range b.proj.rows {
			for j := range i {
				csrc.Dot(b.level, product, s.row(int32(i)), s.row(int32(j)), s.width)
				if whole := cosine(vectors[b.proj.rows[i]], vectors[b.proj.rows[j]]); float64(product[0]) < whole-slack {
					t.Fatalf("vectors %d and %d have a cosine of %v, their projections of %v", i, j, whole, product[0])
				}
			}
		}
	}
}

func newTestBuilder(t *testing.T, v *dataset.Vectors, opts Options) *builder {
	t.Helper()
	b, err := newBuilder(v, opts)
	must(t, err)
	return b
}

func TestKindsOfReasons(t *testing.T) {
	for text, want := range map[string]string{
		`can't decode: bad byte 17 at "photo 3.jpg"`: "can't decode: bad byte N at …",
		"no such file: …":                            "no such file: …",
		`"a\"b" is none`:                             "… is none",
	} {
		if got := kind(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := kind(strings.Repeat("x", 5000)); len(got) > 250 {
		t.Errorf("a reason of %d bytes", len(got))
	}
}
