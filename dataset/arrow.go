package dataset

import (
	"fmt"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/imgvec/imgvec/internal/arrowstream"
)

// Bounds of a record batch: of a file by size, of a stream by age too, so that whoever reads it sees rows come.
const (
	recordBytes = 4 << 20
	streamBytes = 1 << 20
	streamDelay = time.Second
)

// arrowWriter writes Arrow's IPC file or stream format.
//
// Somebody may be reading a stream. It gets the schema at once, and rows when they are old enough: by a timer, since
// the next row may never come.
type arrowWriter struct {
	dst   sink
	limit int
	delay time.Duration // 0: none

	mu    sync.Mutex // of what follows: the timer's goroutine flushes too
	ipc   ipcWriter
	cols  *columns
	timer *time.Timer // runs while rows wait
	late  error       // of a flush by the timer
	done  bool
}

type ipcWriter interface {
	Write(rec arrow.RecordBatch) error
	Close() error
}

func newArrowWriter(dst sink, format Format, meta Meta, opts WriterOptions) (*arrowWriter, error) {
	schema := meta.schema(opts.DType, opts.Kept)
	w := &arrowWriter{dst: dst, cols: newColumns(schema, meta.Dim, opts.DType, opts.Kept), limit: recordBytes}
	if format == ArrowStream {
		return w, w.startStream(schema)
	}
	file, err := ipc.NewFileWriter(onlyWriter{dst}, ipc.WithSchema(schema), ipc.WithDictionaryDeltas(true))
	if err != nil {
		return nil, fmt.Errorf("imgvec: create arrow: %w", err)
	}
	w.ipc = file
	return w, nil
}

// startStream writes the schema.
func (w *arrowWriter) startStream(schema *arrow.Schema) error {
	batches, err := arrowstream.NewWriter(w.dst, schema)
	if err != nil {
		return w.dst.explain(err)
	}
	w.ipc, w.limit = batches, streamBytes
	if _, live := w.dst.(*stream); live {
		w.delay = streamDelay
	}
	return nil
}

func (w *arrowWriter) Write(r Row) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late != nil {
		return w.late
	}
	if err := w.cols.add(&r); err != nil {
		return err
	}
	if w.cols.bytes >= w.limit {
		return w.flush()
	}
	if w.delay > 0 && w.timer == nil {
		w.timer = time.AfterFunc(w.delay, w.flushLate)
	}
	return nil
}

// flushLate is the timer's. One that has just been stopped may still come: then it flushes younger rows, or none.
func (w *arrowWriter) flushLate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done && w.late == nil {
		w.late = w.flush()
	}
}

func (w *arrowWriter) stopTimer() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

func (w *arrowWriter) flush() error {
	w.stopTimer()
	if w.cols.rows == 0 {
		return nil
	}
	record, err := w.cols.record()
	if err != nil {
		return err
	}
	defer record.Release()
	if err := w.ipc.Write(record); err != nil {
		return w.dst.explain(err)
	}
	w.cols.reset()
	return w.dst.flush()
}

func (w *arrowWriter) Finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late != nil {
		return w.late
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.done = true
	if err := w.ipc.Close(); err != nil {
		return w.dst.explain(err)
	}
	return w.dst.finish()
}

func (w *arrowWriter) Abort() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	w.stopTimer()
	return w.dst.abort()
}

// Discard stays away from the lock, which a Write to a reader that does not read may hold.
func (w *arrowWriter) Discard() bool { return w.dst.discard() }
