package report

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/similar"
)

// Options are the options of Build. The zero value is the default.
type Options struct {
	Title  string  // of the page; "" is the output's name
	Images string  // folder that ids which are no absolute paths are looked for in; "" is the working folder
	Sample int     // images whose neighbours are shown; 0 is 24
	Near   float64 // cosine from which on images are near-duplicates; 0 is 0.95

	// Progress is told what is being done; nil tells nobody.
	Progress func(what string)
}

// Bounds of a page, chosen so that one of 100,000 rows stays under 5 MB.
const (
	MaxPairRows = 200_000 // rows among which near-duplicates are looked for

	top           = 8       // neighbours of an image
	mapPoints     = 20_000  // points of the map
	mapThumbs     = 420     // of them with a thumbnail
	groupsShown   = 24      // groups of near-duplicates
	membersShown  = 8       // images of a group
	reasonsShown  = 10      // reasons of failures
	examplesShown = 6       // failed images of a reason
	thumbBudget   = 2800000 // bytes of thumbnails, as base64
	seed          = 20_26
)

func (o Options) withDefaults(v *dataset.Vectors) Options {
	if o.Title == "" {
		o.Title = filepath.Base(v.Path())
	}
	if o.Sample <= 0 {
		o.Sample = 24
	}
	if o.Near <= 0 {
		o.Near = 0.95
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// builder is a Build under way.
type builder struct {
	v     *dataset.Vectors
	opts  Options
	level csrc.Level
	rnd   *rand.Rand
	page  *Page
	scan  *scan
	basis *basis
	proj  *projection
}

// Build reads an output, several times, and makes its page.
func Build(ctx context.Context, v *dataset.Vectors, opts Options) (*Page, error) {
	b, err := newBuilder(v, opts)
	if err != nil {
		return nil, err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"reading the vectors", b.read}, {"finding neighbours", b.neighbours}, {"drawing the map", b.drawMap},
		{"finding near-duplicates", b.duplicates}, {"collecting failures", b.failures}, {"making thumbnails", b.thumbnails},
	} {
		b.opts.Progress(step.what)
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("imgvec: report: %w", err)
		}
	}
	b.page.describe(v, b.scan)
	return b.page, nil
}

func newBuilder(v *dataset.Vectors, opts Options) (*builder, error) {
	level, err := csrc.Choose()
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults(v)
	return &builder{
		v: v, opts: opts, level: level, rnd: rand.New(rand.NewPCG(seed, seed)), page: &Page{Title: display(opts.Title), meta: v.Meta()},
	}, nil
}

// read goes over the output once for what is counted, and once for the projection of its vectors.
func (b *builder) read(ctx context.Context) (err error) {
	if b.scan, err = scanAll(ctx, b.v, b.level); err != nil {
		return err
	}
	if b.scan.usable() == 0 {
		return nil
	}
	b.basis = b.scan.cov.basis(b.level)
	b.proj, err = project(ctx, b.v, b.basis, b.level)
	return err
}

// sample is n of the rows that have a usable vector, rising; the same ones for the same output.
func (b *builder) sample(n int) []int64 {
	rows := b.proj.rows
	picks := b.rnd.Perm(len(rows))
	picks = picks[:min(n, len(picks))]
	out := make([]int64, len(picks))
	for i, at := range picks {
		out[i] = rows[at]
	}
	slices.Sort(out)
	return out
}

// neighbours finds those of some images.
func (b *builder) neighbours(ctx context.Context) error {
	if b.proj == nil {
		return nil
	}
	rows, err := b.v.At(ctx, b.sample(b.opts.Sample), dataset.AllColumns)
	if err != nil {
		return err
	}
	queries := make([]similar.Query, len(rows))
	for i, r := range rows {
		queries[i] = similar.Query{Vector: r.Features, Exclude: r.Row}
	}
	found, err := similar.Search(ctx, b.v, queries, similar.Options{Top: top})
	if err != nil {
		return err
	}
	for i, r := range rows {
		set := Set{Head: b.page.image(r.Row)}
		for _, n := range found.Neighbours[i] {
			set.Images = append(set.Images, b.page.scored(n.Row, n.Score))
		}
		b.page.Neighbours = append(b.page.Neighbours, set)
	}
	return nil
}
