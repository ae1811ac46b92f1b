package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/imgvec/imgvec/internal/flattable"
)

// arrowFooter is the end of an IPC file, which says where the parts of it are. Only files whose schema can't be found at
// their beginning are read by it: polars leaves out the frame of that message.
type arrowFooter struct {
	schema []byte // as a message
	first  int64  // where the first dictionary or record batch begins; 0: there is none
}

// readArrowFooter reads the end of a file.
func readArrowFooter(ctx context.Context, b blob) (footer *arrowFooter, err error) {
	f, err := b.openAt(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const tail = int64(4 + len("ARROW1"))
	var end [tail]byte
	size := f.Size()
	if size < tail {
		return nil, errNoMessage
	}
	if _, err := f.ReadAt(end[:], size-tail); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if string(end[4:]) != "ARROW1" || n > maxArrowMetadata || n > size-tail-int64(len(arrowMagic)) {
		return nil, errNoMessage
	}
	meta, err := readGrowing(io.NewSectionReader(f, size-tail-n, n), n)
	if err != nil {
		return nil, err
	}
	footer, err = parseArrowFooter(meta)
	if err == nil && footer.first > size {
		err = fmt.Errorf("it is damaged: a record batch is said to lie at %d, and the file has %d bytes", footer.first, size)
	}
	return footer, err
}

var errNoMessage = errors.New("it is damaged: no message begins where one should")

func parseArrowFooter(meta []byte) (footer *arrowFooter, err error) {
	defer barrier(&err)
	root := flattable.Root(meta)
	schema, ok := root.Nested(1)
	if !ok {
		return nil, errNoMessage
	}
	fields := maxArrowFields
	if err := checkFields(schema, 1, maxArrowDepth, &fields); err != nil {
		return nil, err
	}
	footer = &arrowFooter{schema: schemaMessage(meta, schema.Pos), first: math.MaxInt64}
	const block = 24 // bytes of an element: where a message is, and how long its parts are
	for _, list := range []int{2, 3} {
		at, n := root.Vector(list, block)
		for i := range n {
			footer.first = min(footer.first, root.GetInt64(at+flatbuffers.UOffsetT(block*i)))
		}
	}
	if footer.first == math.MaxInt64 {
		footer.first = 0
	}
	if footer.first < 0 {
		return nil, errNoMessage
	}
	return footer, nil
}

// schemaMessage puts the table of a message in front of a footer, whose header is the schema in it: FlatBuffers' places
// count from where they stand.
func schemaMessage(footer []byte, schema flatbuffers.UOffsetT) []byte {
	const vtable, table, length = 4, 16, 32
	out := make([]byte, length, length+len(footer))
	le := binary.LittleEndian
	le.PutUint32(out[0:], table)
	le.PutUint16(out[vtable:], 10)   // bytes of the vtable
	le.PutUint16(out[vtable+2:], 12) // bytes of the table
	le.PutUint16(out[vtable+4:], 8)  // version
	le.PutUint16(out[vtable+6:], 10) // kind
	le.PutUint16(out[vtable+8:], 4)  // header
	le.PutUint32(out[table:], table-vtable)
	le.PutUint32(out[table+4:], length-(table+4)+uint32(schema))
	le.PutUint16(out[table+8:], 4) // version 5 of the format
	out[table+10] = arrowSchema
	return append(out, footer...)
}
