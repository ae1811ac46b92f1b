package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// vectorsFile is one file of an output.
type vectorsFile interface {
	name() string
	info() (meta Meta, rows int64) // rows is -1 where the format does not say
	parts(want Columns) (vectorParts, error)
}

// vectorParts are a file's pieces, in order. They are decoded outside the lock that next is called under.
type vectorParts interface {
	// next is the next piece, io.EOF after the last.
	next() (vectorPart, error)
	close() error
}

// vectorPart is a piece of a file that can be decoded on its own: a row group, a record batch, some lines.
type vectorPart interface {
	rows() int
	decode(ctx context.Context, b *Batch) error
}

// errEnd ends a pass. It is no io.EOF, which a file that stops too early gives too.
var errEnd = errors.New("no more rows")

// vectorsPass is one pass over an output.
type vectorsPass struct {
	v    *Vectors
	want Columns

	mu   sync.Mutex // of what follows
	at   int        // number of the file that is opened next
	file *openVectors
	row  int64
	err  error // after which there are no more parts
}

// openVectors is a file that a pass is in. It is closed when its last part is decoded.
type openVectors struct {
	vectorParts
	busy  int // parts that are being decoded
	ended bool
}

// passPart is a part with its place in the pass.
type passPart struct {
	vectorPart
	file  *openVectors
	first int64 // number of its first row
}

func (v *Vectors) pass(want Columns) *vectorsPass { return &vectorsPass{v: v, want: want} }

func (p *vectorsPass) next(ctx context.Context) (passPart, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case ctx.Err() != nil:
			return passPart{}, context.Cause(ctx)
		case p.err != nil:
			return passPart{}, p.err
		case p.file == nil:
			p.open()
			continue
		}
		part, err := p.file.next()
		if err == nil {
			out := passPart{part, p.file, p.row}
			p.row += int64(part.rows())
			p.file.busy++
			return out, nil
		}
		if err := errors.Join(notEOF(err), p.file.end()); err != nil {
			p.err = fmt.Errorf("imgvec: read features %q: %w", p.v.files[p.at-1].name(), err)
		}
		p.file = nil
	}
}

// open goes on with the next file.
func (p *vectorsPass) open() {
	if p.at == len(p.v.files) {
		p.err = errEnd
		return
	}
	f := p.v.files[p.at]
	p.at++
	parts, err := f.parts(p.want)
	if err != nil {
		p.err = fmt.Errorf("imgvec: read features %q: %w", f.name(), err)
		return
	}
	p.file = &openVectors{vectorParts: parts}
}

// end closes a file as soon as nobody is in it.
func (o *openVectors) end() error {
	o.ended = true
	if o.busy > 0 {
		return nil
	}
	return o.close()
}

// done tells that a part is decoded.
func (p *vectorsPass) done(o *openVectors) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.busy--; o.ended {
		return o.end()
	}
	return nil
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func (p *vectorsPass) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil {
		_ = p.file.end() // nothing was written
	}
	p.file, p.err = nil, errEnd
}

// read is the next part as a batch; errEnd after the last.
func (p *vectorsPass) read(ctx context.Context, b *Batch) error {
	part, err := p.next(ctx)
	if err != nil {
		return err
	}
	return p.decode(ctx, part, b)
}

func (p *vectorsPass) decode(ctx context.Context, part passPart, b *Batch) error {
	b.reset(part.first, part.rows(), p.v.meta.Dim)
	if err := errors.Join(part.decode(ctx, b), p.done(part.file)); err != nil {
		return fmt.Errorf("imgvec: read features %q: rows %d to %d: %w", p.v.path, part.first, part.first+int64(b.Len)-1, err)
	}
	if p.want.IDs && b.IDs == nil {
		for i := range b.Len {
			b.IDs = append(b.IDs, fmt.Sprint(part.first+int64(i)))
		}
	}
	return nil
}

// vectorFiles are the files of an output: itself, or a folder's shards in the order of their names.
func vectorFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("imgvec: read features: %w", explainOpen(path, err))
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("imgvec: read features: %w", explainOpen(path, ErrNotRegular))
		}
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("imgvec: read features: %w", err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		_, known := readable(name)
		if known && !e.IsDir() && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") && !strings.HasSuffix(name, ".ids.jsonl") {
			names = append(names, filepath.Join(path, name))
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return nil, usagef("imgvec: read features %q: the folder has no shards (part-*.parquet)", path)
	}
	return names, nil
}

// readable tells a file's format from its name; what has no known ending is tried as Parquet, as Spark's are.
func readable(name string) (Format, bool) {
	switch f := Format(strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")); f {
	case Parquet, ArrowFile, ArrowStream, NPY, JSONLines:
		return f, true
	}
	return "", false
}

func openVectorsFile(path string, opts VectorsOptions) (vectorsFile, error) {
	format, known := readable(path)
	if !known {
		return nil, usagef("unknown format (.parquet, .arrow, .arrows, .npy, .jsonl, or a folder of them)")
	}
	switch format {
	case Parquet:
		return openParquetVectors(path, opts)
	case NPY:
		return openNPYVectors(path)
	case JSONLines:
		return openJSONVectors(path, opts)
	}
	return openArrowVectors(path, format, opts)
}
