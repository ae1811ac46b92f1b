package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// arrowIn reads Arrow's IPC formats, file (Feather version 2 too) and stream. A file is a stream between two marks, and
// is read as one: so what is left of a file that lost its end still comes.
type arrowIn struct {
	file   io.ReadCloser
	msgs   *arrowMessages
	stream *ipc.Reader
}

// arrowMagic begins an IPC file, with two bytes of padding.
const arrowMagic = "ARROW1\x00\x00"

func openArrowIn(ctx context.Context, b blob) (*arrowIn, error) {
	f, err := b.open(ctx)
	if err != nil {
		return nil, err
	}
	r := &arrowIn{file: f}
	if err := r.open(func() (*arrowFooter, error) { return readArrowFooter(ctx, b) }); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *arrowIn) open(footer func() (*arrowFooter, error)) (err error) {
	defer barrier(&err)
	if r.msgs, err = newArrowMessages(r.file, footer); err != nil {
		return err
	}
	return r.restart()
}

// restart makes a reader of the messages that come next. Arrow's reader does not go on behind an error.
func (r *arrowIn) restart() (err error) {
	defer barrier(&err)
	r.msgs.restart()
	r.stream, err = ipc.NewReaderFromMessageReader(r.msgs, ipc.WithAllocator(memory.NewGoAllocator()))
	return err
}

func (r *arrowIn) schema() *arrow.Schema { return r.stream.Schema() }
func (r *arrowIn) close() error          { return r.file.Close() }

// rows looks at what describes each batch, where the batches themselves can be passed by.
func (r *arrowIn) rows(ctx context.Context) (n int64, known bool, err error) {
	if _, seeks := r.file.(io.Seeker); !seeks {
		return 0, false, nil
	}
	for ctx.Err() == nil {
		head, err := r.msgs.peek()
		if err == nil {
			err = r.msgs.pass()
		}
		if errors.Is(err, io.EOF) {
			return n, true, nil
		}
		if err != nil {
			return n + 1, true, nil //nolint:nilerr // it has a row of its own, which is counted
		}
		n += min(head.rows, maxLost)
	}
	return 0, false, ctx.Err()
}

func (r *arrowIn) read(ctx context.Context, columns []int, skip int64, yield func(tablePart) bool) error {
	first := int64(0)
	for ctx.Err() == nil {
		head, err := r.msgs.peek()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it can't be read on after row %d: %w", first, err)
		}
		part := tablePart{first: first, rows: min(head.rows, maxLost)}
		switch {
		case head.kind == arrowBatch && first+head.rows <= skip:
			part.passed = true
			err = r.msgs.pass()
		default:
			part, err = r.next(part, columns)
		}
		if err != nil {
			return fmt.Errorf("it can't be read on after row %d: %w", first, err)
		}
		if !split(part, yield) {
			return nil
		}
		first += part.rows
	}
	return nil
}

// next reads the next batch, and the dictionaries before it. The error is that of the file's framing: nothing can come
// behind it. That of a batch alone goes into the part.
func (r *arrowIn) next(part tablePart, columns []int) (tablePart, error) {
	ok, err := r.step()
	if err != nil {
		if lost := r.msgs.lost; lost != nil {
			return part, lost
		}
		part.err = fmt.Errorf("the record batch that begins with row %d: %w", part.first, err)
		return part, r.restart()
	}
	if !ok {
		part.rows = 0 // dictionaries without a batch behind them
		return part, nil
	}
	batch := r.stream.RecordBatch()
	part.rows = batch.NumRows()
	part.cols, part.err = chosen(batch, columns)
	return part, nil
}

func (r *arrowIn) step() (ok bool, err error) {
	defer barrier(&err)
	ok = r.stream.Next()
	return ok, r.stream.Err()
}

// chosen are the columns of a batch that are read. Nothing in them is taken on trust.
func chosen(batch arrow.RecordBatch, columns []int) (cols []arrow.Array, err error) {
	defer barrier(&err)
	for _, c := range columns {
		col := batch.Column(c)
		col.Retain()
		if err := validate(col); err != nil {
			return nil, fmt.Errorf("it is damaged: column %q: %w", batch.ColumnName(c), err)
		}
		cols = append(cols, col)
	}
	return cols, nil
}

// validate is Arrow's own check, which takes columns of the null type for damaged: structs with one in them are checked
// field by field, and what else holds one is not.
func validate(col arrow.Array) error {
	if !holdsNullType(col.DataType()) {
		return array.ValidateFull(col)
	}
	st, ok := col.(*array.Struct)
	if !ok {
		return nil
	}
	for i := range st.NumField() {
		if err := validate(st.Field(i)); err != nil {
			return fmt.Errorf("field %d: %w", i, err)
		}
	}
	return nil
}

func holdsNullType(t arrow.DataType) bool {
	if nested, ok := storage(t).(arrow.NestedType); ok {
		return slices.ContainsFunc(nested.Fields(), func(f arrow.Field) bool { return holdsNullType(f.Type) })
	}
	return storage(t).ID() == arrow.NULL
}

// split yields a part of any length in parts of a few rows.
func split(p tablePart, yield func(tablePart) bool) bool {
	if p.passed || p.err != nil || p.rows <= maxPartRows {
		return yield(p)
	}
	for from := int64(0); from < p.rows; from += maxPartRows {
		to := min(from+maxPartRows, p.rows)
		q := tablePart{first: p.first + from, rows: to - from}
		for _, col := range p.cols {
			q.cols = append(q.cols, array.NewSlice(col, from, to))
		}
		if !yield(q) {
			return false
		}
	}
	return true
}
