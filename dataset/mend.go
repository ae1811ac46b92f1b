package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"path/filepath"
	"slices"
	"sync"

	"github.com/imgvec/imgvec"
)

// Mending is an output whose failed rows are run again, while the others are carried over as they are. It reads the
// output once, row by row, and puts the results of what is run between the rows that stay.
//
// The rows to run come from the inputs of the old run where they are given, else their ids are taken for paths. With
// the inputs, a row that stood for a file of many images becomes the rows of that file.
type Mending struct {
	path   string
	meta   Meta
	dtype  DType
	files  []mendingFile
	inputs *Source // nil: ids are paths
	opts   MendOptions
	queue  chan mendingRow
	close  sync.Once // of the queue
	err    error     // of the plan; set before the queue is closed

	carried, fixed int64 // of Write
}

// MendOptions are the options of OpenMending. The zero value is the default.
type MendOptions struct {
	Inputs  *Source     // the inputs of the old run; nil takes ids for paths
	Objects ObjectStore // opens ids that are URLs; nil takes them for paths
	InPlace bool        // files without failed rows stay as they are
}

type mendingFile struct {
	name   string
	rows   int64
	failed int64
}

// mendingRow is one row of the new output: an old one, or the next result.
type mendingRow struct {
	file int
	run  bool
	old  VectorRow
	tag  any
}

// mendingAhead is how many rows are read before they can be written.
const mendingAhead = 1024

// OpenMending opens an output and counts its failed rows. ErrUsage: it is not ours, or its rows have columns that only
// the inputs can give again.
func OpenMending(ctx context.Context, path string, opts MendOptions) (*Mending, error) {
	if err := CheckNoParts(path, false); err != nil {
		return nil, err
	}
	v, err := OpenVectors(path, VectorsOptions{})
	if err != nil {
		return nil, err
	}
	m := &Mending{path: path, meta: v.Meta(), inputs: opts.Inputs, opts: opts, queue: make(chan mendingRow, mendingAhead)}
	for _, f := range v.files {
		one, err := m.look(ctx, f.name())
		if err != nil {
			return nil, err
		}
		m.files = append(m.files, one)
	}
	return m, nil
}

// look counts a file's failed rows, and makes sure that all its columns can be written again.
func (m *Mending) look(ctx context.Context, name string) (mendingFile, error) {
	f := mendingFile{name: name}
	columns, dtype, err := shapeOf(name)
	if err != nil {
		return f, fmt.Errorf("imgvec: read features %q: %w", name, err)
	}
	m.dtype = dtype
	var kept []string
	if m.inputs != nil {
		kept = m.inputs.Kept().Names()
	}
	for _, c := range columns {
		if !slices.Contains(ownColumns, c) && !slices.Contains(kept, c) {
			return f, usagef("imgvec: %q has a column %q that only its inputs have: give the inputs and --keep-columns of the run that wrote it", name, c)
		}
	}
	v, err := OpenVectors(name, VectorsOptions{})
	if err != nil {
		return f, err
	}
	for row, err := range v.All(ctx, Columns{Outcomes: true}) {
		if err != nil {
			return f, err
		}
		f.rows++
		if row.Error != "" {
			f.failed++
		}
	}
	return f, nil
}

// Failed is the number of rows that failed, and Rows that of all.
func (m *Mending) Failed() (n int64) {
	for _, f := range m.files {
		n += f.failed
	}
	return n
}

// Rows is the number of rows of the old output.
func (m *Mending) Rows() (n int64) {
	for _, f := range m.files {
		n += f.rows
	}
	return n
}

// Meta is what the output says of how it came to be; the zero value but for Dim where its format has no place for that.
func (m *Mending) Meta() Meta { return m.meta }

// DType is the type that the output's features are stored in.
func (m *Mending) DType() DType { return m.dtype }

// Carried is how many rows Write has taken over, and Fixed how many of those that it ran have features now.
func (m *Mending) Carried() (carried, fixed int64) { return m.carried, m.fixed }

// items yields what is to run. It goes as far ahead of Write as the queue reaches.
func (m *Mending) items(ctx context.Context) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		err := m.plan(ctx, yield)
		m.endPlan(err)
	}
}

func (m *Mending) endPlan(err error) {
	m.close.Do(func() {
		m.err = err
		close(m.queue)
	})
}

// plan reads the old rows and sends each on its way.
func (m *Mending) plan(ctx context.Context, yield func(imgvec.Item) bool) error {
	p := &mendingPlan{Mending: m, ctx: ctx, yield: yield}
	if m.inputs != nil {
		next, stop := iter.Pull(m.inputs.Items(ctx))
		defer stop()
		p.next = next
		p.advance()
	}
	for k, f := range m.files {
		p.file = k
		if f.failed == 0 && m.opts.InPlace && m.inputs == nil {
			continue // it stays as it is
		}
		v, err := OpenVectors(f.name, VectorsOptions{})
		if err != nil {
			return err
		}
		for row, err := range v.All(ctx, AllColumns) {
			if err == nil {
				err = p.row(row)
			}
			if err != nil || p.stopped {
				return err
			}
		}
	}
	if m.inputs == nil {
		return nil
	}
	if err := p.rest(); err != nil {
		return err
	}
	return m.inputs.Err()
}

// mendingPlan is one pass over the old rows, and over the inputs beside them.
type mendingPlan struct {
	*Mending
	ctx     context.Context
	yield   func(imgvec.Item) bool
	next    func() (imgvec.Item, bool) // nil without inputs
	item    imgvec.Item                // the next input
	more    bool                       // there is one
	file    int
	stopped bool
	held    []mendingRow // failed rows that are no input
	open    bool         // such a row came, and inputs that are no rows may follow
	last    int          // the file of the row before
}

func (p *mendingPlan) advance() { p.item, p.more = p.next() }

func (p *mendingPlan) row(row VectorRow) error {
	r := mendingRow{file: p.file, old: row, run: row.Error != ""}
	if p.next == nil {
		return p.send(r, itemOf(p.ctx, row.ID, p.opts.Objects))
	}
	for p.more && p.item.ID != row.ID {
		if r.run {
			p.held, p.open = append(p.held, r), true
			return nil
		}
		if !p.open {
			return p.strange(row.ID)
		}
		if err := p.extra(); err != nil || p.stopped {
			return err
		}
	}
	if !p.more {
		if r.run { // there is no input for it any more
			p.held = append(p.held, r)
			return nil
		}
		return usagef("imgvec: %q has the row %q, which is not among the inputs at its place: give the inputs of the run that wrote it", p.path, row.ID)
	}
	if err := p.release(); err != nil {
		return err
	}
	item := p.item
	p.advance()
	p.open, p.last = false, p.file
	r.tag = item.Tag
	return p.send(r, item)
}

// extra runs an input that has no row because a file of many images could not be read.
func (p *mendingPlan) extra() error {
	if len(p.held) > 0 {
		p.last = p.held[0].file
	}
	p.held = nil
	item := p.item
	p.advance()
	return p.send(mendingRow{file: p.last, run: true, tag: item.Tag}, item)
}

// release keeps failed rows that no input has come for.
func (p *mendingPlan) release() error {
	for _, r := range p.held {
		r.run = false
		if err := p.send(r, imgvec.Item{}); err != nil {
			return err
		}
	}
	p.held = nil
	return nil
}

// rest is what follows the last row.
func (p *mendingPlan) rest() error {
	for p.more && !p.stopped {
		if !p.open {
			return p.strange("")
		}
		if err := p.extra(); err != nil {
			return err
		}
	}
	return p.release()
}

func (p *mendingPlan) strange(id string) error {
	want := "ends"
	if id != "" {
		want = fmt.Sprintf("has %q", id)
	}
	return usagef("imgvec: the inputs have %q where %q %s: give the inputs of the run that wrote it, in their order", p.item.ID, p.path, want)
}

// send hands a row to Write, and its item to whoever runs it.
func (p *mendingPlan) send(r mendingRow, item imgvec.Item) error {
	if p.opts.InPlace && p.files[r.file].failed == 0 {
		if r.run {
			return p.strange("")
		}
		return nil
	}
	select {
	case p.queue <- r:
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
	if r.run && !p.yield(item) {
		p.stopped = true
	}
	return nil
}

// itemOf is the item that a row's id tells of. The id of a name that is no UTF-8 is escaped; where no file has the id's
// name, it is taken back.
func itemOf(ctx context.Context, id string, objects ObjectStore) imgvec.Item {
	if objects != nil && IsURL(id) {
		return objectItem(ctx, objects, id)
	}
	item := fileItem(id)
	if name, err := url.PathUnescape(id); err == nil && EscapeName(name) == id && name != id {
		direct := item.Open
		item.Open = func() (io.ReadCloser, error) {
			r, err := direct()
			if errors.Is(err, fs.ErrNotExist) {
				return openRegular(name)
			}
			return r, err
		}
	}
	item.ID = id
	return item
}

// Lock keeps other processes from writing an output, until unlock.
func (m *Mending) Lock() (unlock func() error, err error) {
	final, err := finalPath(filepath.Clean(m.path))
	if err != nil {
		return nil, err
	}
	man, err := openManifest(PartsFolder(final), m.path)
	if err != nil {
		return nil, err
	}
	return man.remove, nil
}
