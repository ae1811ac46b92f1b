package dataset

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/imgvec/imgvec"
)

// table is a Parquet or Arrow file with an image in each row.
//
// A file that can't be read at all is one failed row with its name. Where only a part of it is damaged, each row of the
// part fails, and those before and behind come: rows keep their numbers.
type table struct {
	blob
	choice  columnChoice
	numbers bool  // ids are the rows' numbers alone; else the file's name stands before them
	kept    *Kept // of the whole source

	mu   sync.Mutex
	plan *tablePlan // nil: not made yet
}

// tableReader is an open table.
type tableReader interface {
	schema() *arrow.Schema
	// rows is how many rows read yields if nothing is damaged that can't be seen yet.
	rows(ctx context.Context) (n int64, known bool, err error)
	// read yields the rows from skip on in parts, with the columns of those numbers alone, until yield returns false. The
	// parts count from the rows skipped. An error is that of the rest of the file.
	read(ctx context.Context, columns []int, skip int64, yield func(tablePart) bool) error
	close() error
}

// tablePart is some rows that stand together.
type tablePart struct {
	first, rows int64
	cols        []arrow.Array // those asked for, in their order; nil where err is set
	err         error         // none of the rows can be read
	passed      bool          // none of the rows was read: they are among those skipped
}

// openReader opens the file. What panics in the reader of a damaged file is an error.
func (t *table) openReader(ctx context.Context) (r tableReader, err error) {
	defer barrier(&err)
	if isParquet(t.name) {
		return openParquetIn(ctx, t.blob)
	}
	return openArrowIn(ctx, t.blob)
}

// barrier makes an error of a panic: libraries that read files trust them in places.
func barrier(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("it is damaged (%v)", p)
	}
}

// prepare finds the columns, once. The error is one that the caller can mend, or that of a file that can't be read.
func (t *table) prepare(ctx context.Context) (*tablePlan, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.plan != nil {
		return t.plan, nil
	}
	r, err := t.openReader(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := t.choice.plan(t.blob, r.schema())
	if cerr := r.close(); err == nil {
		err = cerr
	}
	if err == nil {
		t.plan = plan
	}
	return plan, err
}

// known is the columns where prepare has found them, else nil.
func (t *table) known() *tablePlan {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.plan
}

func (t *table) each(ctx context.Context, yield func(imgvec.Item) bool) (bool, error) {
	_, more, err := t.eachFrom(ctx, 0, yield)
	return more, err
}

// eachFrom passes by whole row groups where it can.
func (t *table) eachFrom(ctx context.Context, skip int64, yield func(imgvec.Item) bool) (rows int64, more bool, err error) {
	w := &tableWalk{table: t, ctx: ctx, skip: skip, yield: yield}
	err = w.run()
	if ctx := ctx.Err(); ctx != nil {
		return w.rows, false, ctx
	}
	if err != nil && !w.stopped {
		w.fail(w.id(), fmt.Errorf("can't be read: %w", err))
	}
	return w.rows, !w.stopped, nil
}

func (t *table) any(ctx context.Context) (bool, error) {
	found := false
	_, _, err := t.eachFrom(ctx, 0, func(imgvec.Item) bool { found = true; return false })
	return found, err
}

func (t *table) count(ctx context.Context) (n int64, known bool, err error) {
	_, err = t.prepare(ctx)
	var r tableReader
	if err == nil {
		r, err = t.openReader(ctx)
	}
	if err != nil {
		return 1, ctx.Err() == nil, ctx.Err()
	}
	defer func() { _ = r.close() }()
	defer func() {
		if recover() != nil {
			n, known, err = 0, false, nil
		}
	}()
	return r.rows(ctx)
}

func (t *table) sign(ctx context.Context, w io.Writer) error {
	signItem(w, t.choice.text())
	return t.blob.sign(ctx, w)
}

// tableWalk is one pass over a table.
type tableWalk struct {
	*table
	ctx     context.Context
	skip    int64
	yield   func(imgvec.Item) bool
	rows    int64 // so far, with those skipped
	stopped bool
}

// run returns why the rest of the file can't be read.
func (w *tableWalk) run() (err error) {
	plan, err := w.prepare(w.ctx)
	if err != nil {
		return err
	}
	r, err := w.openReader(w.ctx)
	if err != nil {
		return err
	}
	defer func() { _ = r.close() }()
	defer barrier(&err)
	kept := plan.keptColumns(w.kept)
	return r.read(w.ctx, plan.columns(kept), w.skip, func(p tablePart) bool {
		switch {
		case p.passed:
			w.rows = p.first + p.rows
		case p.err != nil:
			w.lost(p)
		default:
			w.part(plan, kept, p)
		}
		return !w.stopped && w.ctx.Err() == nil
	})
}

// part yields the rows of a part.
func (w *tableWalk) part(plan *tablePlan, kept []int, p tablePart) {
	get := plan.getter(w.ctx, p.cols, kept)
	var batch *keptBatch
	if len(w.kept.columns()) > 0 {
		batch = newKeptBatch(apart(get.kept), int(p.rows))
	}
	for i := int(max(0, w.skip-p.first)); i < int(p.rows); i++ {
		w.rows = p.first + int64(i)
		item := get.item(i)
		if item.ID == "" {
			item.ID = w.number(w.rows)
		}
		if batch != nil {
			item.Tag = &keptRow{batch, i}
		}
		if w.give(item); w.stopped {
			return
		}
	}
}

// lost yields failed rows for those of a part that can't be read.
func (w *tableWalk) lost(p tablePart) {
	for i := range p.rows {
		w.rows = p.first + i
		if w.fail(w.number(w.rows), p.err); w.stopped {
			return
		}
	}
}

func (w *tableWalk) fail(id string, err error) {
	err = &shardError{w.id(), err}
	w.give(imgvec.Item{ID: id, Open: func() (io.ReadCloser, error) { return nil, err }})
}

func (w *tableWalk) give(item imgvec.Item) {
	w.rows++
	if w.rows > w.skip && !w.yield(item) {
		w.stopped = true
	}
}

// number is the id of a row that has no other.
func (t *table) number(row int64) string {
	if t.numbers {
		return fmt.Sprint(row)
	}
	return fmt.Sprintf("%s:%d", t.id(), row)
}
