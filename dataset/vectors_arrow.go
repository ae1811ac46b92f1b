package dataset

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// arrowVectors is an IPC file or stream.
type arrowVectors struct {
	path    string
	format  Format
	meta    Meta
	count   int64
	columns vectorColumns
}

func openArrowVectors(path string, format Format, opts VectorsOptions) (vectorsFile, error) {
	a := &arrowVectors{path: path, format: format, count: -1}
	parts, err := a.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = parts.close() }()
	schema := parts.schema()
	if a.columns, err = findColumns(schema, opts); err != nil {
		return nil, err
	}
	meta := schema.Metadata()
	a.meta = parseMeta(meta.Keys(), meta.Values())
	if parts.file != nil && parts.file.NumRecords() == 0 {
		a.count = 0
	}
	return a, a.meta.findDim(a)
}

func (a *arrowVectors) name() string        { return a.path }
func (a *arrowVectors) info() (Meta, int64) { return a.meta, a.count }

func (a *arrowVectors) parts(Columns) (vectorParts, error) { return a.open() }

func (a *arrowVectors) open() (*arrowParts, error) {
	f, err := os.Open(a.path)
	if err != nil {
		return nil, explainOpen(a.path, err)
	}
	p := &arrowParts{a: a, disk: f}
	head := make([]byte, 6)
	if n, _ := f.ReadAt(head, 0); a.format == ArrowFile && !bytes.Equal(head[:n], []byte("ARROW1")) {
		err = errNoArrow
	} else if a.format == ArrowFile {
		p.file, err = ipc.NewFileReader(f)
	} else {
		p.stream, err = ipc.NewReader(f)
	}
	if err != nil {
		return nil, fmt.Errorf("not an Arrow file (%w)", joinClose(err, f))
	}
	return p, nil
}

var errNoArrow = fmt.Errorf("it does not begin as one")

func joinClose(err error, c io.Closer) error {
	if other := c.Close(); other != nil {
		return fmt.Errorf("%w; %w", err, other)
	}
	return err
}

type arrowParts struct {
	a      *arrowVectors
	disk   *os.File
	file   *ipc.FileReader
	stream *ipc.Reader
	at     int
}

func (p *arrowParts) schema() *arrow.Schema {
	if p.file != nil {
		return p.file.Schema()
	}
	return p.stream.Schema()
}

func (p *arrowParts) next() (vectorPart, error) {
	if p.stream != nil {
		record, err := p.stream.Read()
		if err != nil {
			return nil, err
		}
		record.Retain() // the reader gives it up with the next one; the garbage collector has it in the end
		return arrowPart{p.a, record}, nil
	}
	if p.at >= p.file.NumRecords() {
		return nil, io.EOF
	}
	record, err := p.file.RecordBatchAt(p.at)
	p.at++
	if err != nil {
		return nil, err
	}
	return arrowPart{p.a, record}, nil
}

func (p *arrowParts) close() error {
	if p.stream != nil {
		p.stream.Release()
	}
	return p.disk.Close()
}

// arrowPart is one record batch. Its memory is Go's and lives as long as somebody points to it.
type arrowPart struct {
	a      *arrowVectors
	record arrow.RecordBatch
}

func (p arrowPart) rows() int { return int(p.record.NumRows()) }

func (p arrowPart) decode(_ context.Context, b *Batch) error {
	c := p.a.columns
	for _, column := range []struct {
		at  int
		add func(arrow.Array, int) error
	}{{c.features, b.addLists}, {c.id, b.addIDs}, {c.err, b.addErrors}, {c.width, b.addWidths}, {c.height, b.addHeights}} {
		if column.at < 0 {
			continue
		}
		if err := column.add(p.record.Column(column.at), 0); err != nil {
			return err
		}
	}
	return nil
}
