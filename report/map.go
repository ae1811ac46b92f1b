package report

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/imgvec/imgvec/dataset"
)

// mapText is how many bytes the map's ids may take together.
const mapText = 1 << 20

// drawMap places a sample of the vectors by the two strongest components.
func (b *builder) drawMap(ctx context.Context) error {
	if b.proj == nil {
		return nil
	}
	rows := b.sample(mapPoints)
	m := &Map{Rows: rows, All: int64(len(b.proj.rows))}
	xs, ys := make([]float64, len(rows)), make([]float64, len(rows))
	next := 0
	for i, row := range rows {
		for b.proj.rows[next] != row {
			next++
		}
		xs[i], ys[i] = b.proj.point(next)
	}
	m.X, m.Y = place(xs, ys)
	found, err := b.v.At(ctx, rows, dataset.Columns{IDs: true})
	if err != nil {
		return err
	}
	for _, r := range found {
		m.IDs = append(m.IDs, r.ID)
	}
	b.page.Map = m
	m.name()
	for _, i := range spread(m.X, m.Y, mapThumbs) {
		m.thumbs = append(m.thumbs, b.page.image(rows[i]).Image)
	}
	if total := b.basis.total; total > 0 && len(b.basis.variance) > 1 {
		b.page.Variance = fmt.Sprintf("%.0f", 100*(b.basis.variance[0]+b.basis.variance[1])/total)
	}
	return nil
}

// place puts points on a grid of 4096 by 4096, both axes at the same scale.
func place(xs, ys []float64) (x, y []int) {
	lowX, lowY := slices.Min(xs), slices.Min(ys)
	span := math.Max(math.Max(slices.Max(xs)-lowX, slices.Max(ys)-lowY), 1e-12)
	midX, midY := (lowX+slices.Max(xs))/2, (lowY+slices.Max(ys))/2
	at := func(v, mid float64) int { return min(max(int(math.Round((v-mid)/span*4095+2047.5)), 0), 4095) }
	for i := range xs {
		x, y = append(x, at(xs[i], midX)), append(y, at(ys[i], midY))
	}
	return x, y
}

// name makes the ids fit to be shown and takes off what they all begin with.
func (m *Map) name() {
	most := min(max(mapText/max(len(m.IDs), 1), 24), 200)
	for i, id := range m.IDs {
		m.IDs[i] = visible(id)
	}
	if len(m.IDs) > 1 {
		m.Prefix = m.IDs[0]
		for _, id := range m.IDs {
			for !strings.HasPrefix(id, m.Prefix) {
				m.Prefix = m.Prefix[:len(m.Prefix)-1]
			}
		}
		m.Prefix = strings.ToValidUTF8(m.Prefix, "")
		m.Prefix = m.Prefix[:strings.LastIndexByte(m.Prefix, '/')+1]
	}
	for i, id := range m.IDs {
		m.IDs[i] = cut(strings.TrimPrefix(id, m.Prefix), most)
	}
}

// spread picks about n points that cover the map: one of each cell of a grid, the first of it.
func spread(x, y []int, n int) []int {
	var out []int
	for cells := 64; cells > 1; cells = cells * 7 / 8 {
		taken := map[int]bool{}
		out = out[:0]
		for i := range x {
			if at := x[i]*cells/4096*cells + y[i]*cells/4096; !taken[at] {
				taken[at] = true
				out = append(out, i)
			}
		}
		if len(out) <= n {
			break
		}
	}
	return out[:min(len(out), n)]
}
