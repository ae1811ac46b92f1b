package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pqfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// parquetVectors is a Parquet file.
type parquetVectors struct {
	path    string
	meta    Meta
	count   int64
	columns vectorColumns
}

func openParquetVectors(path string, opts VectorsOptions) (vectorsFile, error) {
	p := &parquetVectors{path: path}
	parts, err := p.open(AllColumns)
	if err != nil {
		return nil, err
	}
	defer func() { _ = parts.close() }()
	schema, err := parts.arrow.Schema()
	if err != nil {
		return nil, err
	}
	if p.columns, err = findColumns(schema, opts); err != nil {
		return nil, err
	}
	pairs := parts.file.MetaData().KeyValueMetadata()
	p.meta = parseMeta(pairs.Keys(), pairs.Values())
	p.count = parts.file.NumRows()
	return p, p.meta.findDim(p)
}

func (p *parquetVectors) name() string        { return p.path }
func (p *parquetVectors) info() (Meta, int64) { return p.meta, p.count }

func (p *parquetVectors) parts(want Columns) (vectorParts, error) { return p.open(want) }

func (p *parquetVectors) open(want Columns) (*parquetParts, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return nil, explainOpen(p.path, err)
	}
	r, err := pqfile.NewParquetReader(f)
	if err != nil {
		return nil, fmt.Errorf("not a whole Parquet file (%w)", joinClose(err, f))
	}
	a, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return nil, joinClose(err, r)
	}
	return &parquetParts{p: p, file: r, arrow: a, want: want}, nil
}

type parquetParts struct {
	p     *parquetVectors
	file  *pqfile.Reader
	arrow *pqarrow.FileReader
	want  Columns
	at    int
}

func (p *parquetParts) next() (vectorPart, error) {
	if p.at >= p.file.NumRowGroups() {
		return nil, io.EOF
	}
	p.at++
	return parquetPart{p, p.at - 1}, nil
}

func (p *parquetParts) close() error { return p.file.Close() }

// parquetPart is one row group.
type parquetPart struct {
	*parquetParts
	group int
}

func (p parquetPart) rows() int { return int(p.file.MetaData().RowGroup(p.group).NumRows()) }

func (p parquetPart) decode(ctx context.Context, b *Batch) error {
	c := p.p.columns
	pages := false
	if p.want.Features && b.Dim > 0 {
		err := p.pageLists(b)
		if err != nil && !errors.Is(err, errPages) {
			return err
		}
		if pages = err == nil; !pages {
			b.own, b.ownIdx = b.own[:0], b.ownIdx[:0]
		}
	}
	for _, column := range []struct {
		at   int
		want bool
		add  func(arrow.Array, int) error
	}{
		{c.features, p.want.Features && !pages, b.addLists}, {c.id, p.want.IDs, b.addIDs}, {c.err, p.want.Outcomes, b.addErrors},
		{c.width, p.want.Outcomes, b.addWidths}, {c.height, p.want.Outcomes, b.addHeights},
	} {
		if column.at < 0 || !column.want {
			continue
		}
		if err := p.column(ctx, column.at, column.add); err != nil {
			return err
		}
	}
	return nil
}

// column reads one column of the row group, chunk by chunk.
func (p parquetPart) column(ctx context.Context, at int, add func(arrow.Array, int) error) (err error) {
	defer recovered(&err)
	leaves := map[int]bool{}
	for i := range p.file.MetaData().Schema.NumColumns() {
		if p.file.MetaData().Schema.ColumnRoot(i).Name() == p.arrow.Manifest.Fields[at].Field.Name {
			leaves[i] = true
		}
	}
	reader, err := p.arrow.GetFieldReader(ctx, at, leaves, []int{p.group})
	if err != nil {
		return err
	}
	defer reader.Release()
	chunks, err := reader.NextBatch(int64(p.rows()))
	if err != nil {
		return err
	}
	base := 0
	for _, arr := range chunks.Chunks() {
		if err := add(arr, base); err != nil {
			return err
		}
		base += arr.Len()
	}
	if base != p.rows() {
		return fmt.Errorf("column %d has %d rows where the row group has %d", at, base, p.rows())
	}
	return nil
}

// recovered makes an error of a panic: the library panics on some damaged pages.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("a column is damaged: %v", r)
	}
}
