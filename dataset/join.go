package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/imgvec/imgvec/internal/arrowstream"
)

// join makes one file of the parts and gives it its name. Values are copied and not encoded again: the bytes of Parquet's
// row groups, of arrays and of lines as they are, Arrow's record batches one by one.
func (p *Parts) join() error {
	if p.man.joined != nil && p.man.joined.is(p.final) {
		return nil // an earlier run came as far as this
	}
	var names []string
	for _, part := range p.man.parts {
		if len(part.Files) > 0 {
			names = append(names, filepath.Join(p.dir, filepath.Base(part.Files[0].Name)))
		}
	}
	dst, err := createFile(p.output, p.opts.Force)
	if err != nil {
		return err
	}
	if p.format == NPY {
		return p.joinArrays(dst, names)
	}
	if err := p.set(joint{dst}); err != nil {
		return err
	}
	defer dst.abort() //nolint:errcheck // after finish it does nothing
	if err := joinFiles(dst, p.format, names); err != nil {
		return dst.explain(err)
	}
	if err := p.mark(dst); err != nil {
		return err
	}
	return dst.finish()
}

// mark notes which file is about to get the final name.
func (p *Parts) mark(dst *atomicFile) error {
	if err := dst.sync(); err != nil {
		return err
	}
	mark, err := markOf(dst.temp)
	if err != nil {
		return dst.explain(err)
	}
	return p.man.markJoined(mark)
}

func markOf(path string) (fileMark, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileMark{}, err
	}
	mark := fileMark{Bytes: info.Size()}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		mark.Inode = uint64(s.Ino) //nolint:unconvert // it is 32 bits elsewhere
	}
	return mark, nil
}

func (m *fileMark) is(path string) bool {
	mark, err := markOf(path)
	return err == nil && mark == *m && mark.Inode != 0
}

// joint is a file that is being joined, to whoever discards it.
type joint struct{ *atomicFile }

func (j joint) Write(Row) error { panic("imgvec: BUG: a row for what is joined") }
func (j joint) Finish() error   { return j.finish() }
func (j joint) Abort() error    { return j.abort() }
func (j joint) Discard() bool   { return j.discard() }

func joinFiles(dst *atomicFile, format Format, names []string) error {
	switch format {
	case Parquet:
		return joinParquet(dst, names)
	case JSONLines:
		for _, name := range names {
			if err := appendFile(dst, name, 0); err != nil {
				return err
			}
		}
		return nil
	}
	return joinArrow(dst, format, names)
}

// appendFile copies a file from an offset on.
func appendFile(dst io.Writer, name string, from int64) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(onlyWriter{dst}, f)
	return err
}

// recordWriter is an Arrow file or stream that is being written.
type recordWriter interface {
	Write(rec arrow.RecordBatch) error
	Close() error
}

func joinArrow(dst *atomicFile, format Format, names []string) error {
	var w recordWriter
	for _, name := range names {
		schema, err := eachRecord(name, format, func(schema *arrow.Schema, rec arrow.RecordBatch) (err error) {
			if w == nil {
				if w, err = newRecordWriter(dst, format, schema); err != nil {
					return err
				}
			}
			return w.Write(rec)
		})
		if err != nil {
			return err
		}
		if w == nil {
			if w, err = newRecordWriter(dst, format, schema); err != nil {
				return err
			}
		}
	}
	if w == nil {
		return nil
	}
	return w.Close()
}

func newRecordWriter(dst *atomicFile, format Format, schema *arrow.Schema) (recordWriter, error) {
	if format == ArrowStream {
		return arrowstream.NewWriter(dst, schema)
	}
	return ipc.NewFileWriter(onlyWriter{dst}, ipc.WithSchema(schema))
}

// eachRecord reads the record batches of an Arrow file or stream. They are valid until use returns.
func eachRecord(name string, format Format, use func(*arrow.Schema, arrow.RecordBatch) error) (*arrow.Schema, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if format == ArrowStream {
		r, err := ipc.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", name, err)
		}
		defer r.Release()
		for r.Next() {
			if err := use(r.Schema(), r.RecordBatch()); err != nil {
				return nil, err
			}
		}
		return r.Schema(), r.Err()
	}
	r, err := ipc.NewFileReader(f)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	defer r.Close() //nolint:errcheck // only read
	for i := range r.NumRecords() {
		rec, err := r.RecordBatchAt(i)
		if err == nil {
			err = use(r.Schema(), rec)
			rec.Release()
		}
		if err != nil {
			return nil, err
		}
	}
	return r.Schema(), nil
}

// joinArrays joins NumPy's arrays behind one header, and their ids.
func (p *Parts) joinArrays(dst *atomicFile, names []string) error {
	_, _, rows := p.Done()
	ids, err := createIDs(p.output, p.opts.Force)
	if err != nil {
		return errors.Join(err, dst.abort())
	}
	w := &npyWriter{files: pair{dst, ids}, dim: p.meta.Dim, half: p.opts.DType == Float16, rows: rows}
	if err := p.set(w); err != nil {
		return err
	}
	defer w.Abort() //nolint:errcheck // after Finish it does nothing
	head := w.header()
	if _, err := dst.Write(head); err != nil {
		return dst.explain(err)
	}
	for _, name := range names {
		if err := appendFile(dst, name, int64(len(head))); err != nil {
			return dst.explain(err)
		}
		if err := appendFile(ids, idsOf(name), 0); err != nil {
			return ids.explain(err)
		}
	}
	if err := p.mark(dst); err != nil {
		return err
	}
	return w.files.finish()
}
