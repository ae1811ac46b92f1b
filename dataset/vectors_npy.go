package dataset

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"unsafe"
)

// npyVectors is a NumPy array of floats and the file of ids beside it, where there is one.
type npyVectors struct {
	path string
	meta Meta
	head npyHead
}

// npyHead is what a NumPy file says about its array.
type npyHead struct {
	half, double bool
	rows, dim    int64
	size         int64 // of the header in bytes
}

func (h npyHead) element() int64 {
	switch {
	case h.half:
		return 2
	case h.double:
		return 8
	}
	return 4
}

func openNPYVectors(path string) (vectorsFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, explainOpen(path, err)
	}
	defer f.Close()
	head, err := readNPYHead(f)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.Size() != head.size+head.rows*head.dim*head.element() {
		return nil, fmt.Errorf("not a whole NumPy array of %d rows and %d columns", head.rows, head.dim)
	}
	n := &npyVectors{path: path, head: head, meta: Meta{Dim: int(head.dim)}}
	return n, n.readMarks()
}

var npyFields = regexp.MustCompile(`^\{'descr': '<f([248])', 'fortran_order': False, 'shape': \((\d+), (\d+),? ?\),? ?\}\s*$`)

func readNPYHead(r io.Reader) (npyHead, error) {
	head := make([]byte, 12)
	if _, err := io.ReadFull(r, head[:10]); err != nil || string(head[:6]) != "\x93NUMPY" {
		return npyHead{}, errors.New("not a NumPy file")
	}
	start, size := int64(10), int64(binary.LittleEndian.Uint16(head[8:]))
	if head[6] > 1 {
		if _, err := io.ReadFull(r, head[10:]); err != nil {
			return npyHead{}, errors.New("not a NumPy file")
		}
		start, size = 12, int64(binary.LittleEndian.Uint32(head[8:]))
	}
	text := make([]byte, min(size, 1<<16))
	if _, err := io.ReadFull(r, text); err != nil {
		return npyHead{}, errors.New("not a whole NumPy file")
	}
	m := npyFields.FindSubmatch(text)
	if m == nil {
		return npyHead{}, usagef("its array is none of rows of little-endian floats (%.80q)", text)
	}
	rows, err := strconv.ParseInt(string(m[2]), 10, 48)
	dim, err2 := strconv.ParseInt(string(m[3]), 10, 24)
	if err != nil || err2 != nil {
		return npyHead{}, fmt.Errorf("an array of shape %s x %s", m[2], m[3])
	}
	return npyHead{half: m[1][0] == '2', double: m[1][0] == '8', rows: rows, dim: dim, size: start + size}, nil
}

// readMarks finds the mark of random weights in the first of the ids.
func (n *npyVectors) readMarks() error {
	ids, err := openLines(idsOf(n.path))
	if err != nil || ids == nil {
		return err
	}
	defer func() { _ = ids.close() }()
	row, err := ids.row()
	if errors.Is(err, io.EOF) {
		return nil
	}
	n.meta.RandomWeights = row.RandomWeights
	return err
}

func (n *npyVectors) name() string        { return n.path }
func (n *npyVectors) info() (Meta, int64) { return n.meta, n.head.rows }

func (n *npyVectors) parts(want Columns) (vectorParts, error) {
	f, err := os.Open(n.path)
	if err != nil {
		return nil, explainOpen(n.path, err)
	}
	p := &npyParts{n: n, want: want, disk: f}
	if want.IDs || want.Outcomes {
		if p.ids, err = openLines(idsOf(n.path)); err != nil {
			return nil, joinClose(err, f)
		}
	}
	return p, nil
}

type npyParts struct {
	n    *npyVectors
	want Columns
	disk *os.File
	ids  *jsonLines // nil: there are none, or they are not asked for
	at   int64
}

// npyBytes is about what a piece of an array takes.
const npyBytes = 4 << 20

func (p *npyParts) next() (vectorPart, error) {
	h := p.n.head
	if p.at >= h.rows {
		return nil, io.EOF
	}
	part := &npyPart{p: p, first: p.at, n: min(max(npyBytes/max(h.dim*h.element(), 1), 1), h.rows-p.at)}
	p.at += part.n
	for p.ids != nil && len(part.lines) < int(part.n) {
		row, err := p.ids.row()
		if err != nil {
			return nil, fmt.Errorf("%q does not belong to it: %w after %d rows", idsOf(p.n.path), err, part.first+int64(len(part.lines)))
		}
		part.lines = append(part.lines, row)
	}
	return part, nil
}

func (p *npyParts) close() error {
	var err error
	if p.ids != nil {
		err = p.ids.close()
	}
	return errors.Join(err, p.disk.Close())
}

type npyPart struct {
	p        *npyParts
	first, n int64
	lines    []jsonRow
}

func (p *npyPart) rows() int { return int(p.n) }

func (p *npyPart) decode(_ context.Context, b *Batch) error {
	b.addOutcomes(p.lines, p.p.want)
	if !p.p.want.Features {
		return nil
	}
	h := p.p.n.head
	size := h.dim * h.element()
	data := make([]byte, p.n*size)
	if _, err := p.p.disk.ReadAt(data, h.size+p.first*size); err != nil {
		return err
	}
	if cap(b.own) < int(p.n*h.dim) {
		b.own = make([]float32, 0, p.n*h.dim)
	}
	for i := range int(p.n) {
		if p.lines != nil && p.lines[i].Error != nil {
			continue
		}
		row := data[int64(i)*size:][:size]
		if p.lines == nil && allNaN(row, h) {
			continue // a failed image whose reason is lost
		}
		b.own = appendNumbers(b.own, row, h)
		b.ownIdx = append(b.ownIdx, int32(i))
	}
	b.Index, b.Float32, b.Dim = b.ownIdx, b.own, int(h.dim)
	return nil
}

func appendNumbers(dst []float32, row []byte, h npyHead) []float32 {
	if h.element() == 4 && littleEndian && len(row) > 0 {
		from := len(dst)
		dst = slices.Grow(dst, len(row)/4)[:from+len(row)/4]
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[from])), len(row)), row)
		return dst
	}
	for i := 0; i < len(row); i += int(h.element()) {
		dst = append(dst, numberAt(row[i:], h))
	}
	return dst
}

func numberAt(p []byte, h npyHead) float32 {
	switch {
	case h.half:
		return float16value(binary.LittleEndian.Uint16(p))
	case h.double:
		return float32(math.Float64frombits(binary.LittleEndian.Uint64(p)))
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(p))
}

func allNaN(row []byte, h npyHead) bool {
	for i := 0; i < len(row); i += int(h.element()) {
		if v := numberAt(row[i:], h); v == v {
			return false
		}
	}
	return len(row) > 0
}

// openLines opens a file of JSON lines; nil where there is none.
func openLines(path string) (*jsonLines, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, explainOpen(path, err)
	}
	return &jsonLines{disk: f, in: bufio.NewReaderSize(f, 256<<10)}, nil
}

// addOutcomes takes what lines say but for their features.
func (b *Batch) addOutcomes(lines []jsonRow, want Columns) {
	if lines == nil {
		return
	}
	if want.IDs {
		b.IDs = make([]string, len(lines))
	}
	if want.Outcomes {
		b.Errors, b.Width, b.Height = make([]string, len(lines)), make([]int32, len(lines)), make([]int32, len(lines))
	}
	for i, r := range lines {
		if want.IDs {
			b.IDs[i] = r.ID
		}
		if want.Outcomes {
			b.Width[i], b.Height[i] = r.Width, r.Height
			if r.Error != nil {
				b.Errors[i] = orElse(*r.Error, "failed")
			}
		}
	}
	b.IDs = slices.Clip(b.IDs)
}
