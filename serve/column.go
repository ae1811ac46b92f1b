package serve

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// maxRows bounds the rows of a batch: each row takes some memory here, also one without bytes.
const maxRows = 1 << 14

// column is the one column of a batch.
type column struct {
	values [][]byte // of the rows; nil: null, empty: no bytes. They lie in body.
	bytes  int64    // what it counts in a window
	body   []byte
}

// columns reads a client's Arrow stream.
type columns struct {
	messages *messages
	reader   *ipc.Reader
	large    bool // offsets of 64 bits
}

// openColumns reads the schema and tells whether the server takes it.
func openColumns(m *messages, input string) (*columns, error) {
	r, err := ipc.NewReaderFromMessageReader(m, ipc.WithAllocator(noMemory{}))
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, badBatch("the stream ends before its schema")
		}
		return nil, understood(err)
	}
	schema := r.Schema()
	if n := schema.NumFields(); n != 1 {
		return nil, badBatch("the stream has %d columns: send the one column of %s values alone", n, input)
	}
	c := &columns{messages: m, reader: r}
	typ := schema.Field(0).Type
	switch typ.ID() {
	case arrow.BINARY, arrow.LARGE_BINARY:
		c.large = typ.ID() == arrow.LARGE_BINARY
		if input == InputBinary {
			return c, nil
		}
	case arrow.STRING, arrow.LARGE_STRING:
		c.large = typ.ID() == arrow.LARGE_STRING
		if input == InputPath {
			return c, nil
		}
	}
	return nil, badBatch("the column is of type %v: input %q takes binary or large_binary, input %q string or large_string", typ, InputBinary, InputPath)
}

// next is the next batch; io.EOF at the stream's end.
func (c *columns) next() (col column, err error) {
	defer func() {
		if p := recover(); p != nil { // Arrow looks at its buffers when they are used
			col, err = column{}, badBatch("a batch is damaged: %v", p)
		}
	}()
	rec, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		return column{}, io.EOF
	}
	if err != nil {
		return column{}, understood(err)
	}
	return c.column(rec.Column(0))
}

// column finds the values of the rows. Nothing that a client sent is taken on trust.
func (c *columns) column(arr arrow.Array) (column, error) {
	n, buffers := arr.Len(), arr.Data().Buffers()
	if n > maxRows {
		return column{}, badBatch("a batch of %d rows is over the limit of %d: send fewer rows at once", n, maxRows)
	}
	if n == 0 {
		return column{}, nil
	}
	offsets, data := []byte{}, []byte{}
	if len(buffers) == 3 && buffers[1] != nil {
		offsets = buffers[1].Bytes()
	}
	if len(buffers) == 3 && buffers[2] != nil && buffers[2].Len() > 0 {
		data = buffers[2].Bytes()
	}
	size := 4
	if c.large {
		size = 8
	}
	if n < 0 || len(offsets) < (n+1)*size {
		return column{}, badBatch("a batch of %d rows has %d bytes of offsets", n, len(offsets))
	}
	col := column{values: make([][]byte, n), body: c.messages.body}
	from := c.offset(offsets, 0)
	for i := range n {
		to := c.offset(offsets, i+1)
		if from < 0 || to < from || to > int64(len(data)) {
			return column{}, badBatch("a batch's row %d lies at %d to %d of %d bytes", i, from, to, len(data))
		}
		if !arr.IsNull(i) {
			col.values[i] = data[from:to:to]
			col.bytes += to - from
		}
		from = to
	}
	col.bytes = max(col.bytes, int64(len(col.body))-bodySlack) // what it holds beside the values counts too
	return col, nil
}

func (c *columns) offset(offsets []byte, i int) int64 {
	if c.large {
		return int64(binary.LittleEndian.Uint64(offsets[i*8:]))
	}
	return int64(int32(binary.LittleEndian.Uint32(offsets[i*4:])))
}

// understood keeps the server's own errors apart from Arrow's, which are all about what the client sent.
func understood(err error) error {
	var ours *batchError
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, ErrClientGone), errors.Is(err, errIdle):
		return err
	}
	return badBatch("the Arrow stream can't be read: %v", err)
}

// noMemory is what Arrow's reader gets for memory of its own. It needs none, but to unpack compressed bodies and to turn
// foreign bytes around: a few bytes could ask for any amount. Its panic becomes the reader's error.
type noMemory struct{}

func (noMemory) Allocate(int) []byte {
	panic("compressed batches, and such with the bytes of other machines, are not taken")
}
func (m noMemory) Reallocate(int, []byte) []byte { return m.Allocate(0) }
func (noMemory) Free([]byte)                     {}
