package dataset

import (
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// rowGroupBytes bounds a Parquet row group. Readers on Spark and others hold whole row groups in memory, and so do we.
const rowGroupBytes = 8 << 20

// createdBy begins what our files say of who made them.
const createdBy = "imgvec "

// parquetWriter writes Parquet: a row group whenever enough rows are together.
type parquetWriter struct {
	dst  sink
	file *pqarrow.FileWriter
	cols *columns
}

func newParquetWriter(dst sink, meta Meta, opts WriterOptions) (*parquetWriter, error) {
	schema := meta.schema(opts.DType, opts.Kept)
	// A dictionary of vectors or paths that are all different only costs; the reasons of errors repeat.
	props := parquet.NewWriterProperties(
		parquet.WithCreatedBy(createdBy+meta.Version),
		parquet.WithCompression(compress.Codecs.Snappy),
		parquet.WithDictionaryDefault(false),
		parquet.WithDictionaryFor("error", true),
		parquet.WithStatsFor("features.list.element", false),
	)
	file, err := pqarrow.NewFileWriter(schema, onlyWriter{dst}, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, fmt.Errorf("imgvec: create parquet: %w", err)
	}
	return &parquetWriter{dst: dst, file: file, cols: newColumns(schema, meta.Dim, opts.DType, opts.Kept)}, nil
}

func (w *parquetWriter) Write(r Row) error {
	if err := w.cols.add(&r); err != nil {
		return err
	}
	if w.cols.bytes >= rowGroupBytes {
		return w.flush()
	}
	return nil
}

func (w *parquetWriter) flush() error {
	if w.cols.rows == 0 {
		return nil
	}
	record, err := w.cols.record()
	if err != nil {
		return err
	}
	defer record.Release()
	if err := w.file.Write(record); err != nil {
		return w.dst.explain(err)
	}
	w.cols.reset()
	return nil
}

func (w *parquetWriter) Finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return w.dst.explain(err)
	}
	return w.dst.finish()
}

func (w *parquetWriter) Abort() error  { return w.dst.abort() }
func (w *parquetWriter) Discard() bool { return w.dst.discard() }
