package dataset

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	pqfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

const (
	// partBytes is about how much of a table is decoded at once.
	partBytes = 4 << 20
	// maxPartRows bounds the rows of a part, whatever their size.
	maxPartRows = 4096
	// maxPage bounds a page, which is decoded as a whole. Writers put a thousand rows into one whatever their size, so
	// pages of images are large.
	maxPage, smallPage = 1 << 30, 16 << 20
	// maxLost bounds the failed rows that a damaged row group gets: its number of rows is only a claim.
	maxLost = 1 << 24
	// remoteBuffer is how much is asked of a store at once.
	remoteBuffer = 8 << 20
)

// parquetIn reads a Parquet file a row group after the other, and of each only some columns, page by page.
type parquetIn struct {
	file   ObjectReader
	pq     *pqfile.Reader
	arrow  *pqarrow.FileReader
	fields *arrow.Schema
}

func openParquetIn(ctx context.Context, b blob) (*parquetIn, error) {
	f, err := b.openAt(ctx)
	if err != nil {
		return nil, err
	}
	r := &parquetIn{file: f}
	if err := r.open(b.objects != nil); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *parquetIn) open(remote bool) (err error) {
	defer barrier(&err)
	mem := memory.NewGoAllocator()
	props := parquet.NewReaderProperties(mem)
	props.BufferedStreamEnabled, props.BufferSize = true, readBuffer
	if remote {
		props.BufferSize = remoteBuffer
	}
	props.PageStreamingEnabled = true
	// A page is in the file, and what it unpacks to has some proportion to it: a small file's claims stay small.
	props.MaxCompressedPageSize = min(maxPage, max(r.file.Size(), 1))
	props.MaxUncompressedPageSize = min(maxPage, smallPage+1000*r.file.Size())
	if r.pq, err = pqfile.NewParquetReader(io.NewSectionReader(r.file, 0, r.file.Size()), pqfile.WithReadProps(props)); err != nil {
		return err
	}
	if err = r.checkSchema(); err != nil {
		return err
	}
	if r.arrow, err = pqarrow.NewFileReader(r.pq, pqarrow.ArrowReadProperties{BatchSize: 1}, mem); err != nil {
		return err
	}
	r.fields, err = r.arrow.Schema()
	return err
}

// checkSchema looks at the Arrow schema that writers put beside Parquet's own.
func (r *parquetIn) checkSchema() error {
	stored := r.pq.MetaData().KeyValueMetadata().FindValue("ARROW:schema")
	if stored == nil {
		return nil
	}
	message, err := base64.StdEncoding.DecodeString(*stored)
	if err == nil {
		err = checkStoredSchema(message)
	}
	if err != nil {
		return fmt.Errorf("the Arrow schema in it is damaged: %w", err)
	}
	return nil
}

func (r *parquetIn) schema() *arrow.Schema { return r.fields }
func (r *parquetIn) close() error          { return r.file.Close() }

func (r *parquetIn) rows(context.Context) (n int64, known bool, err error) {
	for g := range r.pq.NumRowGroups() {
		rows, _ := r.groupRows(g)
		n += rows
	}
	return n, true, nil
}

// groupRows is how many rows a row group yields; with an error they can't be read. What the file says of itself is
// compared with its size before anything is taken on trust.
func (r *parquetIn) groupRows(g int) (int64, error) {
	group := r.pq.MetaData().RowGroup(g)
	rows := group.NumRows()
	if rows < 0 || rows > maxLost && rows > r.file.Size()*64 {
		return 1, fmt.Errorf("row group %d is damaged: it claims %d rows", g, rows)
	}
	for c := range group.NumColumns() {
		chunk, err := group.ColumnChunk(c)
		if err == nil {
			err = checkChunk(chunk, r.file.Size())
		}
		if err != nil {
			return min(rows, maxLost), fmt.Errorf("row group %d is damaged: column %d: %w", g, c, err)
		}
	}
	return rows, nil
}

// checkChunk compares where a column lies with the size of the file.
func checkChunk(chunk *metadata.ColumnChunkMetaData, size int64) error {
	start, length := chunk.DataPageOffset(), chunk.TotalCompressedSize()
	if chunk.HasDictionaryPage() && chunk.DictionaryPageOffset() > 0 {
		start = min(start, chunk.DictionaryPageOffset())
	}
	if start < 0 || length < 0 || start > size || length > size-start || chunk.NumValues() < 0 || chunk.TotalUncompressedSize() < 0 {
		return fmt.Errorf("it is said to lie at %d with %d bytes, and the file has %d", start, length, size)
	}
	return nil
}

// leaves are the numbers of the file's columns that a column of the schema is made of.
func leaves(f *pqarrow.SchemaField) []int {
	if f.IsLeaf() {
		return []int{f.ColIndex}
	}
	var out []int
	for i := range f.Children {
		out = append(out, leaves(&f.Children[i])...)
	}
	return out
}

func (r *parquetIn) read(ctx context.Context, columns []int, skip int64, yield func(tablePart) bool) error {
	var cols []int
	for _, c := range columns {
		cols = append(cols, leaves(&r.arrow.Manifest.Fields[c])...)
	}
	slices.Sort(cols)
	first := int64(0)
	for g := range r.pq.NumRowGroups() {
		rows, damage := r.groupRows(g)
		var more bool
		switch {
		case first+rows <= skip:
			more = yield(tablePart{first: first, rows: rows, passed: true})
		case damage != nil:
			more = yield(tablePart{first: first, rows: rows, err: damage})
		default:
			more = r.group(ctx, g, cols, first, rows, yield)
		}
		if !more || ctx.Err() != nil {
			return nil //nolint:nilerr // the caller looks at its ctx
		}
		first += rows
	}
	return nil
}

// group yields the rows of a row group: those that can be read, and the others as a part that fails.
func (r *parquetIn) group(ctx context.Context, g int, cols []int, first, rows int64, yield func(tablePart) bool) bool {
	done, stopped := int64(0), false
	err := r.records(ctx, g, cols, rows, func(batch arrow.RecordBatch) bool {
		n := min(batch.NumRows(), rows-done)
		part := tablePart{first: first + done, rows: n, cols: retained(batch)}
		done += n
		stopped = !yield(part)
		return !stopped && done < rows
	})
	if stopped || ctx.Err() != nil || done == rows {
		return !stopped
	}
	if err == nil {
		err = fmt.Errorf("it ends after %d of %d rows", done, rows)
	}
	err = fmt.Errorf("row group %d is damaged from row %d on: %w", g, first+done, err)
	return yield(tablePart{first: first + done, rows: min(rows-done, maxLost), err: err})
}

// records reads some columns of a row group in batches, until yield returns false.
func (r *parquetIn) records(ctx context.Context, g int, cols []int, rows int64, yield func(arrow.RecordBatch) bool) (err error) {
	defer barrier(&err)
	if rows == 0 {
		return nil
	}
	r.arrow.Props.BatchSize = r.partRows(g, cols, rows)
	records, err := r.arrow.GetRecordReader(ctx, cols, []int{g})
	if err != nil {
		return err
	}
	defer records.Release()
	for records.Next() {
		if !yield(records.RecordBatch()) {
			return nil
		}
	}
	return records.Err()
}

// partRows is how many rows are decoded at once.
func (r *parquetIn) partRows(g int, cols []int, rows int64) int64 {
	group, total := r.pq.MetaData().RowGroup(g), int64(0)
	for _, c := range cols {
		if chunk, err := group.ColumnChunk(c); err == nil {
			total += chunk.TotalUncompressedSize()
		}
	}
	return max(1, min(maxPartRows, partBytes/max(total/rows, 1)))
}

// retained are the columns of a batch, which stay when the reader goes on to the next one. They lie in the Go heap, so
// nobody has to release them.
func retained(batch arrow.RecordBatch) []arrow.Array {
	cols := slices.Clone(batch.Columns())
	for _, col := range cols {
		col.Retain()
	}
	return cols
}
