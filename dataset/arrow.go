package dataset

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// Bounds of a record batch: of a file by size, of a stream by age too, so that whoever reads it sees rows come.
const (
	recordBytes = 4 << 20
	streamBytes = 1 << 20
	streamDelay = time.Second
)

// arrowWriter writes Arrow's IPC file or stream format.
type arrowWriter struct {
	dst    sink
	ipc    ipcWriter
	cols   *columns
	limit  int
	delay  time.Duration // 0: none
	oldest time.Time     // when the first row of the batch came
}

type ipcWriter interface {
	Write(rec arrow.RecordBatch) error
	Close() error
}

func newArrowWriter(dst sink, format Format, meta Meta, dtype DType) (*arrowWriter, error) {
	schema := meta.schema(dtype)
	w := &arrowWriter{dst: dst, cols: newColumns(schema, meta.Dim, dtype)}
	if format == ArrowStream {
		w.ipc, w.limit, w.delay = ipc.NewWriter(onlyWriter{dst}, ipc.WithSchema(schema)), streamBytes, streamDelay
		return w, nil
	}
	file, err := ipc.NewFileWriter(onlyWriter{dst}, ipc.WithSchema(schema))
	if err != nil {
		return nil, fmt.Errorf("imgvec: create arrow: %w", err)
	}
	w.ipc, w.limit = file, recordBytes
	return w, nil
}

func (w *arrowWriter) Write(r Row) error {
	if w.cols.rows == 0 && w.delay > 0 {
		w.oldest = time.Now()
	}
	if err := w.cols.add(&r); err != nil {
		return err
	}
	if w.cols.bytes >= w.limit || w.delay > 0 && time.Since(w.oldest) >= w.delay {
		return w.flush()
	}
	return nil
}

func (w *arrowWriter) flush() error {
	if w.cols.rows == 0 {
		return nil
	}
	record := w.cols.record()
	defer record.Release()
	if err := w.ipc.Write(record); err != nil {
		return w.dst.explain(err)
	}
	w.cols.reset()
	return w.dst.flush()
}

func (w *arrowWriter) Finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.ipc.Close(); err != nil {
		return w.dst.explain(err)
	}
	return w.dst.finish()
}

func (w *arrowWriter) Abort() error { return w.dst.abort() }
