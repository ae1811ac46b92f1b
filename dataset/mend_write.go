package dataset

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	parquetfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/imgvec/imgvec"
)

// MendTo is where Write puts the rows.
type MendTo struct {
	Out  Writer        // all rows; nil: each old file is replaced by its own rows, atomically
	Meta Meta          // of files that are replaced
	Opts WriterOptions // of files that are replaced
	// Each hears of every result before it is written; leave false leaves its row out, an error ends it all.
	Each func(r *imgvec.Result) (leave bool, err error)
}

// Extract runs items, and yields their results in the same order.
type Extract func(ctx context.Context, items iter.Seq[imgvec.Item]) iter.Seq2[imgvec.Result, error]

// Write runs what has failed and writes all rows in order. It may be called once. Out is not finished by it.
func (m *Mending) Write(ctx context.Context, run Extract, to MendTo) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		imgvec.Result
		err error
	}
	out := make(chan outcome)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer m.endPlan(nil) // where nobody asked for items
		defer close(out)
		for r, err := range run(ctx, m.items(ctx)) {
			select {
			case out <- outcome{r, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { cancel(); <-ended }()
	w := &mendingWriter{Mending: m, to: to, file: -1}
	defer func() { err = errors.Join(err, w.abort()) }()
	for r := range m.queue {
		row := Row{Result: imgvec.Result{ID: r.old.ID, Features: r.old.Features, Width: r.old.Width, Height: r.old.Height, Tag: r.tag}}
		if r.old.Error != "" {
			row.Err = errors.New(r.old.Error)
		}
		if r.run {
			o, ok := <-out
			if !ok || o.err != nil {
				return firstError(o.err, m.err, ctx.Err(), errors.New("imgvec: a result is missing"))
			}
			row.Result = old(o.Result, r.old)
		}
		if err := w.write(r, row); err != nil {
			return err
		}
	}
	if m.err != nil {
		return m.err
	}
	if o, ok := <-out; ok {
		return firstError(o.err, errors.New("imgvec: a result too many"))
	}
	return w.finish()
}

// firstError is the first error that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// old keeps a row's older error where the id is the name of no file: it then says more than the new one.
func old(r imgvec.Result, was VectorRow) imgvec.Result {
	if r.Err != nil && was.Error != "" && errors.Is(r.Err, fs.ErrNotExist) {
		r.Err = errors.New(was.Error)
	}
	return r
}

// mendingWriter writes the rows, file by file where they are replaced.
type mendingWriter struct {
	*Mending
	to   MendTo
	file int
	cur  Writer
}

func (w *mendingWriter) write(r mendingRow, row Row) error {
	if r.run {
		leave, err := w.to.Each(&row.Result)
		if err != nil {
			return err
		}
		if row.Err == nil {
			w.fixed++
		}
		if leave {
			return nil
		}
	} else {
		w.carried++
	}
	if w.to.Out != nil {
		return w.to.Out.Write(row)
	}
	if r.file != w.file {
		if err := w.begin(r.file); err != nil {
			return err
		}
	}
	return w.cur.Write(row)
}

func (w *mendingWriter) begin(file int) (err error) {
	if err := w.finish(); err != nil {
		return err
	}
	opts := w.to.Opts
	opts.Force = true
	w.file = file
	w.cur, err = Create(w.files[file].name, w.to.Meta, opts)
	return err
}

func (w *mendingWriter) finish() error {
	if w.cur == nil {
		return nil
	}
	return w.cur.Finish()
}

func (w *mendingWriter) abort() error {
	if w.cur == nil {
		return nil
	}
	return w.cur.Abort()
}

// shapeOf reads the names of an output's columns, and the type of its features.
func shapeOf(name string) (columns []string, dtype DType, err error) {
	format, _ := readable(name)
	switch format {
	case NPY:
		head := make([]byte, 128)
		f, err := os.Open(name)
		if err != nil {
			return nil, "", err
		}
		defer f.Close()
		n, _ := f.Read(head)
		if dtype = Float32; strings.Contains(string(head[:n]), "'<f2'") {
			dtype = Float16
		}
		columns, err = jsonColumns(idsOf(name))
		return columns, dtype, err
	case JSONLines:
		columns, err := jsonColumns(name)
		return columns, Float32, err
	}
	schema, err := schemaOf(name, format)
	if err != nil {
		return nil, "", err
	}
	dtype = Float32
	for _, f := range schema.Fields() {
		columns = append(columns, f.Name)
		if list, ok := f.Type.(arrow.ListLikeType); ok && f.Name == "features" && list.Elem().ID() == arrow.FLOAT16 {
			dtype = Float16
		}
	}
	return columns, dtype, nil
}

func schemaOf(name string, format Format) (*arrow.Schema, error) {
	if format == Parquet {
		f, err := parquetfile.OpenParquetFile(name, false)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // only read
		r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		return r.Schema()
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if format == ArrowStream {
		r, err := ipc.NewReader(f)
		if err != nil {
			return nil, err
		}
		defer r.Release()
		return r.Schema(), nil
	}
	r, err := ipc.NewFileReader(f)
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // only read
	return r.Schema(), nil
}

// jsonColumns are the keys of the first line.
func jsonColumns(name string) (columns []string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	line, _ := bufio.NewReader(f).ReadBytes('\n') // what can't be read is no JSON
	if len(line) == 0 {
		return nil, nil // no row
	}
	var row map[string]json.RawMessage
	if err := json.Unmarshal(line, &row); err != nil {
		return nil, fmt.Errorf("its first line is no JSON: %w", err)
	}
	for key := range row {
		columns = append(columns, key)
	}
	return columns, nil
}
