package dataset

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
)

// Vectors reads an output back: a file of any format that Create writes, or a folder of shards. Others' files do too,
// where they have a list of floats in a column and, if they name their rows, an id in another.
//
// It is opened once and read as often as wanted; every pass opens the files anew. Safe for concurrent use.
type Vectors struct {
	path  string
	files []vectorsFile
	meta  Meta
	rows  int64 // -1: the format does not say
	opts  VectorsOptions
}

// VectorsOptions are the options of OpenVectors. The zero value reads what Create writes.
type VectorsOptions struct {
	IDColumn       string // "" is "id"; where there is none "path" (Spark), else a row's number names it
	FeaturesColumn string // "" is "features"
}

// Columns says which columns a pass needs. What is not asked for is not read where the format allows.
type Columns struct {
	IDs      bool
	Features bool
	Outcomes bool // error, width and height
}

// AllColumns is every column.
var AllColumns = Columns{IDs: true, Features: true, Outcomes: true}

// VectorRow is one row of an output.
type VectorRow struct {
	Row           int64     // its number, from 0
	ID            string    // as written
	Features      []float32 // nil where the image failed; the caller's from then on
	Error         string    // "" where the image is fine
	Width, Height int       // of the picture; 0 where not known
}

// OpenVectors opens an output for reading: its metadata is read, its rows are not. What the caller can mend is ErrUsage.
func OpenVectors(path string, opts VectorsOptions) (*Vectors, error) {
	names, err := vectorFiles(path)
	if err != nil {
		return nil, err
	}
	v := &Vectors{path: path, opts: opts}
	for _, name := range names {
		f, err := openVectorsFile(name, opts)
		if err != nil {
			return nil, fmt.Errorf("imgvec: read features %q: %w", name, err)
		}
		if err := v.add(f); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// add takes a file in. All files of a folder must be of one model.
func (v *Vectors) add(f vectorsFile) error {
	meta, rows := f.info()
	if len(v.files) == 0 {
		v.meta, v.rows = meta, 0
	}
	first := v.meta
	switch {
	case meta.ModelSHA256 != first.ModelSHA256 || meta.Feature != first.Feature || meta.Normalized != first.Normalized:
		return usagef("imgvec: read features %q: %q is of another model than the files before it (%q, not %q): read them one by one",
			v.path, f.name(), meta.Model, first.Model)
	case meta.Dim != 0 && first.Dim != 0 && meta.Dim != first.Dim:
		return usagef("imgvec: read features %q: %q has %d features a row, the files before it %d", v.path, f.name(), meta.Dim, first.Dim)
	}
	v.meta.Dim = max(v.meta.Dim, meta.Dim)
	if v.rows >= 0 && rows >= 0 {
		v.rows += rows
	} else {
		v.rows = -1
	}
	v.files = append(v.files, f)
	return nil
}

// Path is what was opened.
func (v *Vectors) Path() string { return v.path }

// Meta is what the output says about itself. Where the format has no place for it, and in others' files, all but Dim is
// the zero value; Dim is 0 where no row has features.
func (v *Vectors) Meta() Meta { return v.meta }

// Rows is the number of rows; known is false where only reading would tell.
func (v *Vectors) Rows() (n int64, known bool) { return max(v.rows, 0), v.rows >= 0 }

// Size is how many bytes the files take on disk.
func (v *Vectors) Size() int64 {
	var n int64
	for _, f := range v.files {
		if info, err := os.Stat(f.name()); err == nil {
			n += info.Size()
		}
	}
	return n
}

// All yields the rows in order. An error ends it.
func (v *Vectors) All(ctx context.Context, want Columns) iter.Seq2[VectorRow, error] {
	return func(yield func(VectorRow, error) bool) {
		pass := v.pass(want)
		defer pass.close()
		var b Batch
		for {
			err := pass.read(ctx, &b)
			if errors.Is(err, errEnd) {
				return
			}
			if err != nil {
				yield(VectorRow{}, err)
				return
			}
			for i := range b.Len {
				if !yield(b.row(i), nil) {
					return
				}
			}
		}
	}
}

// Each reads the output in batches and calls do from several goroutines at the same time, with the number of the
// goroutine (from 0). The batches come in no order; each says where it stands. A batch is the callee's until it
// returns. The first error ends the pass and is returned.
func (v *Vectors) Each(ctx context.Context, want Columns, workers int, do func(worker int, b *Batch) error) error {
	pass := v.pass(want)
	defer pass.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for worker := range max(workers, 1) {
		wg.Go(func() {
			var b Batch
			for {
				err := pass.read(ctx, &b)
				if errors.Is(err, errEnd) {
					return
				}
				if err == nil {
					err = do(worker, &b)
				}
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
