package dataset

import (
	"context"
	"errors"
	"slices"
)

// At reads single rows, in rising order whatever the order asked for; each comes once. Of formats with parts that can be
// found without reading, others are left out.
func (v *Vectors) At(ctx context.Context, rows []int64, want Columns) ([]VectorRow, error) {
	rows = slices.Clone(rows)
	slices.Sort(rows)
	rows = slices.Compact(rows)
	out := make([]VectorRow, 0, len(rows))
	pass := v.pass(want)
	defer pass.close()
	var b Batch
	for len(out) < len(rows) {
		err := pass.readWith(ctx, &b, rows[len(out)])
		if errors.Is(err, errEnd) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Len {
			r := b.row(i)
			if len(out) < len(rows) && r.Row == rows[len(out)] {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

// readWith is the next batch that has a row from that one on.
func (p *vectorsPass) readWith(ctx context.Context, b *Batch, row int64) error {
	for {
		part, err := p.next(ctx)
		if err != nil {
			return err
		}
		if part.first+int64(part.rows()) > row {
			return p.decode(ctx, part, b)
		}
		if err := p.done(part.file); err != nil {
			return err
		}
	}
}
