package dataset

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"

	parquetfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// parquetMagic stands at both ends of a Parquet file. Before the last one stands the length of the footer, in four bytes.
const parquetMagic = "PAR1"

// joinParquet copies what the files hold between their first magic and their footers, and writes one footer for all, in
// which the places of the row groups are moved accordingly. Schema and metadata are those of the first.
func joinParquet(dst *atomicFile, names []string) error {
	if _, err := io.WriteString(onlyWriter{dst}, parquetMagic); err != nil {
		return err
	}
	at := int64(len(parquetMagic))
	var footer *metadata.FileMetaData
	for _, name := range names {
		meta, n, err := copyRowGroups(dst, name)
		if err != nil {
			return fmt.Errorf("join %q: %w", name, err)
		}
		moveRowGroups(meta, at-int64(len(parquetMagic)))
		at += n
		if footer == nil {
			footer = meta
		} else if err := footer.AppendRowGroups(meta); err != nil {
			return fmt.Errorf("join %q: %w", name, err)
		}
	}
	for i, g := range footer.RowGroups {
		if g.Ordinal = nil; i <= math.MaxInt16 { // there is no number for the others
			ordinal := int16(i)
			g.Ordinal = &ordinal
		}
	}
	n, err := footer.WriteTo(onlyWriter{dst}, nil)
	if err != nil {
		return err
	}
	tail := binary.LittleEndian.AppendUint32(nil, uint32(n))
	_, err = dst.Write(append(tail, parquetMagic...))
	return err
}

// copyRowGroups copies all of a file but its magic and footer, n bytes.
func copyRowGroups(dst io.Writer, name string) (meta *metadata.FileMetaData, n int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	r, err := parquetfile.NewParquetReader(f)
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	defer r.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	meta = r.MetaData()
	const magics = 2*len(parquetMagic) + 4
	body := io.NewSectionReader(f, int64(len(parquetMagic)), info.Size()-int64(meta.Size()+magics))
	n, err = io.Copy(onlyWriter{dst}, body)
	return meta, n, err
}

// moveRowGroups tells a footer that its row groups stand that many bytes further back in the file.
func moveRowGroups(meta *metadata.FileMetaData, by int64) {
	move := func(at *int64) *int64 {
		if at == nil {
			return nil
		}
		moved := *at + by
		return &moved
	}
	for _, g := range meta.RowGroups {
		g.FileOffset = move(g.FileOffset)
		for _, c := range g.Columns {
			if c.FileOffset != 0 { // 0 stands for "nowhere"
				c.FileOffset += by
			}
			c.OffsetIndexOffset, c.ColumnIndexOffset = move(c.OffsetIndexOffset), move(c.ColumnIndexOffset)
			if m := c.MetaData; m != nil {
				m.DataPageOffset += by
				m.IndexPageOffset, m.DictionaryPageOffset = move(m.IndexPageOffset), move(m.DictionaryPageOffset)
				m.BloomFilterOffset = move(m.BloomFilterOffset)
			}
		}
	}
}
