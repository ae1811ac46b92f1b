package dataset

import (
	"encoding/binary"
	"errors"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet"
	pqfile "github.com/apache/arrow-go/v18/parquet/file"
)

// A list of 1280 floats comes with 2560 levels, which say where lists begin and what is missing. The library expands each
// to two bytes and looks at every one, which takes three times as long as the floats themselves. In a column of vectors
// nearly all levels are the same and stand in the file as runs, so here runs are counted and the floats copied as they are.
// Whatever is out of the ordinary is left to the library.

// errPages tells that a column is not one for this reader.
var errPages = errors.New("not plain lists of floats")

// littleEndian tells whether floats lie in memory as they lie in files.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// pageLists reads the vectors of a row group, errPages where the library has to.
func (p parquetPart) pageLists(b *Batch) (err error) {
	defer recovered(&err)
	leaf, levels, err := p.plainLeaf()
	if err != nil {
		return err
	}
	pages, err := p.file.RowGroup(p.group).GetColumnPageReader(leaf)
	if err != nil {
		return err
	}
	defer func() { _ = pages.Close() }()
	l := lists{max: levels}
	need := p.rows() * b.Dim
	if cap(b.own) < need {
		b.own = make([]float32, 0, need)
	}
	for pages.Next() {
		page, ok := pages.Page().(*pqfile.DataPageV1)
		if !ok || parquet.Encoding(page.Encoding()) != parquet.Encodings.Plain {
			return errPages
		}
		if b.own, err = l.page(b.own, page.Data(), int(page.NumValues())); err != nil {
			return err
		}
	}
	if err := pages.Err(); err != nil {
		return err
	}
	return l.into(b)
}

// plainLeaf is the number of the column of floats below the features, and its highest definition level.
func (p parquetPart) plainLeaf() (leaf, levels int, err error) {
	schema := p.file.MetaData().Schema
	leaf = -1
	for i := range schema.NumColumns() {
		if schema.ColumnRoot(i).Name() == p.arrow.Manifest.Fields[p.p.columns.features].Field.Name {
			if leaf >= 0 {
				return 0, 0, errPages
			}
			leaf = i
		}
	}
	if leaf < 0 || !littleEndian {
		return 0, 0, errPages
	}
	column := schema.Column(leaf)
	levels = int(column.MaxDefinitionLevel())
	if column.PhysicalType() != parquet.Types.Float || column.MaxRepetitionLevel() != 1 || levels < 2 || levels > 3 {
		return 0, 0, errPages
	}
	return leaf, levels, nil
}

// lists is where the lists of a row group begin, counted in levels, and which of them are null.
type lists struct {
	max    int // definition level of a number that is there
	seen   int // levels
	starts []int
	nulls  []int // places of levels that stand for a missing list
}

// page takes in a page and appends its floats.
func (l *lists) page(dst []float32, data []byte, n int) ([]float32, error) {
	repetition, data, ok := levelBytes(data)
	definition, values, ok2 := levelBytes(data)
	if !ok || !ok2 {
		return dst, errPages
	}
	ok = eachRun(repetition, 1, n, func(level, at, count int) bool {
		if level == 0 {
			for i := range count {
				l.starts = append(l.starts, l.seen+at+i)
			}
		}
		return true
	})
	missing := 0
	ok2 = eachRun(definition, 2, n, func(level, at, count int) bool {
		if level == 0 {
			missing += count
			for i := range count {
				l.nulls = append(l.nulls, l.seen+at+i)
			}
		}
		return level == 0 || level == l.max // an empty list, or one with a number missing, is for the library
	})
	l.seen += n
	if !ok || !ok2 || len(values) != (n-missing)*4 {
		return dst, errPages
	}
	from := len(dst)
	dst = slices.Grow(dst, n-missing)[:from+n-missing]
	if n > missing {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[from])), (n-missing)*4), values)
	}
	return dst, nil
}

// into gives the lists to the batch.
func (l *lists) into(b *Batch) error {
	if len(l.starts) != b.Len || b.Len > 0 && l.starts[0] != 0 {
		return errPages
	}
	nulls := l.nulls
	for i, start := range l.starts {
		end := l.seen
		if i+1 < len(l.starts) {
			end = l.starts[i+1]
		}
		if len(nulls) > 0 && nulls[0] == start {
			nulls = nulls[1:]
			if end-start != 1 {
				return errPages
			}
			continue
		}
		if err := b.checkDim(i, end-start); err != nil {
			return err
		}
		b.ownIdx = append(b.ownIdx, int32(i))
	}
	if len(nulls) > 0 || len(b.own) != len(b.ownIdx)*b.Dim {
		return errPages
	}
	b.Index, b.Float32 = b.ownIdx, b.own
	return nil
}

// levelBytes cuts the levels off a page of version 1: a length, and as many bytes.
func levelBytes(data []byte) (levels, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	if n > uint64(len(data)-4) {
		return nil, nil, false
	}
	return data[4 : 4+n], data[4+n:], true
}

// eachRun goes over n levels of that many bits (1 or 2) in Parquet's hybrid of runs and packed bits, and calls do with
// each run. It is false where the bytes do not hold n levels, or do has said so.
func eachRun(data []byte, bits, n int, do func(level, at, count int) bool) bool {
	at := 0
	for at < n {
		head, size := binary.Uvarint(data)
		if size <= 0 || head>>1 == 0 || head > 1<<40 {
			return false
		}
		data = data[size:]
		count := int(head >> 1)
		if head&1 == 0 {
			if len(data) < 1 || count > n-at || !do(int(data[0]), at, count) {
				return false
			}
			data, at = data[1:], at+count
			continue
		}
		if len(data) < count*bits {
			return false
		}
		packed := data[:count*bits]
		data = data[count*bits:]
		var ok bool
		if at, ok = eachPacked(packed, bits, at, n, do); !ok {
			return false
		}
	}
	return true
}

// eachPacked goes over packed levels, put together to runs; those beyond n are filling.
func eachPacked(packed []byte, bits, at, n int, do func(level, at, count int) bool) (end int, ok bool) {
	end = min(n, at+len(packed)*8/bits)
	level := func(i int) int { return int(packed[i*bits/8]>>(i*bits%8)) & (1<<bits - 1) }
	for i := at; i < end; {
		j := i + 1
		for j < end && level(j-at) == level(i-at) {
			j++
		}
		if !do(level(i-at), i, j-i) {
			return end, false
		}
		i = j
	}
	return end, true
}
